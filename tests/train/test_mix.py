from __future__ import annotations

import random

import pytest
import torch
import torch.nn.functional as F

from prunetune.config.recipe import Recipe
from prunetune.train.mix import MixedBatch, cutmix, mix, mixed_loss, mixup

CLASSES = 5


def batch(n: int = 6) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(n, 3, 8, 10, generator=generator)
    return x, torch.randint(0, CLASSES, (n,), generator=generator)


def soft_labels(mixed: MixedBatch) -> torch.Tensor:
    """Every image's label distribution."""
    labels = F.one_hot(mixed.y, CLASSES).double()
    if mixed.other is None:
        return labels
    other = F.one_hot(mixed.other, CLASSES).double()
    return (1 - mixed.other_share) * labels + mixed.other_share * other


def test_mixup_equals_blending_image_by_image() -> None:
    x, y = batch()
    mixed = mixup(x, y, 0.3)
    labels = soft_labels(mixed)
    for i in range(len(x)):
        torch.testing.assert_close(mixed.x[i], 0.3 * x[i] + 0.7 * x[i - 1])
        expected = torch.zeros(CLASSES, dtype=torch.float64)
        expected[y[i]] += 0.3
        expected[y[i - 1]] += 0.7
        torch.testing.assert_close(labels[i], expected)


@pytest.mark.parametrize("seed", range(20))
def test_cutmix_labels_count_pixels(seed: int) -> None:
    draw = random.Random(seed)
    x, y = batch()
    mixed = cutmix(x, y, draw.random(), draw)
    for i in range(len(x)):
        own = (mixed.x[i] == x[i]).all(0)
        neighbours = (mixed.x[i] == x[i - 1]).all(0)
        assert bool((own ^ neighbours).all())
        assert neighbours.double().mean().item() == pytest.approx(mixed.other_share)
    assert torch.equal(mixed.other, y.roll(1))  # type: ignore[arg-type]


def test_a_box_inside_the_image_has_the_requested_area() -> None:
    class Centre(random.Random):
        def randrange(self, start: int, *_: object) -> int:
            return start // 2

    x, y = torch.zeros(2, 1, 100, 100), torch.tensor([0, 1])
    assert cutmix(x, y, 0.36, Centre()).other_share == pytest.approx(0.64)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_the_loss_is_cross_entropy_against_soft_labels(smoothing: float) -> None:
    x, y = batch()
    mixed = mixup(x, y, 0.3)
    logits = torch.randn(6, CLASSES, generator=torch.Generator().manual_seed(1)).double()
    soft = (1 - smoothing) * soft_labels(mixed) + smoothing / CLASSES
    brute = -(soft * logits.log_softmax(1)).sum(1).mean()
    torch.testing.assert_close(mixed_loss(logits, mixed, smoothing), brute)
    assert torch.equal(mixed_loss(logits, MixedBatch(x, y), 0.0), F.cross_entropy(logits, y))


def test_without_mixing_the_batch_is_returned_as_it_is() -> None:
    x, y = batch()
    mixed = mix(x, y, Recipe(), random.Random(0))
    assert mixed.x is x
    assert mixed.other is None


def test_both_mixtures_share_the_batches_evenly() -> None:
    x, y = batch()
    recipe = Recipe(mixup=1.0, cutmix=1.0)
    boxes = 0
    for seed in range(200):
        mixed = mix(x, y, recipe, random.Random(seed))
        boxes += bool(((mixed.x == x) | (mixed.x == x.roll(1, 0))).all())
    assert 70 < boxes < 130


def test_the_share_follows_the_beta_distribution() -> None:
    x, y = torch.zeros(2, 1, 2, 2), torch.tensor([0, 1])
    alpha = 0.4
    shares = torch.tensor(
        [mix(x, y, Recipe(mixup=alpha), random.Random(s)).other_share for s in range(2000)]
    )
    assert shares.mean().item() == pytest.approx(0.5, abs=0.03)
    variance = 1 / (4 * (2 * alpha + 1))
    assert shares.var().item() == pytest.approx(variance, rel=0.1)
