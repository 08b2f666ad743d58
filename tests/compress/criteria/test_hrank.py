from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from prunetune.compress.criteria.hrank import Hrank, HrankParams, matrix_ranks
from prunetune.compress.criterion import Scene
from prunetune.compress.graph.groups import Group
from prunetune.compress.proof.proved_groups import find_groups, prunable_groups
from tests.compress.nets import architecture, trained

SHAPE = (3, 8, 8)


class Tiny(nn.Module):
    """A residual stream with two writers, whose maps convolutions read, the last map twice."""

    def __init__(self, head: nn.Module | None = None) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, padding=1)
        self.inner = nn.Conv2d(4, 5, 3, padding=1)
        self.outer = nn.Conv2d(5, 4, 3, padding=1)
        self.left, self.right = nn.Conv2d(4, 3, 1), nn.Conv2d(4, 3, 3, padding=1)
        self.head = head or nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x).relu()
        x = (x + self.outer(self.inner(x).relu())).relu()
        out: Tensor = self.head((self.left(x) + self.right(x)).relu().mean((2, 3)))
        return out


MODEL = Tiny()
GROUPS = find_groups(MODEL, SHAPE, [MODEL.head])
IMAGES = torch.randn(7, *SHAPE, generator=torch.Generator().manual_seed(0))


def scene(model: nn.Module, groups: tuple[Group, ...], x: Tensor, chunk: int = 3) -> Scene:
    def batches(n: int) -> Iterator[tuple[Tensor, Tensor]]:
        return ((part, torch.zeros(len(part), dtype=torch.int64)) for part in x[:n].split(chunk))

    return Scene(model, (3, *x.shape[2:]), groups, torch.Generator(), batches)


def raw(model: nn.Module, groups: tuple[Group, ...], x: Tensor, chunk: int = 3) -> list[Tensor]:
    return Hrank(HrankParams(normalize="none")).score(scene(model, groups, x, chunk))


@pytest.mark.parametrize("shape", [(6, 6), (5, 9), (9, 4)])
def test_products_of_vectors_have_rank_one_and_noise_has_all(shape: tuple[int, int]) -> None:
    generator = torch.Generator().manual_seed(1)
    high, wide = shape
    one = torch.rand(2, 3, high, 1, generator=generator) @ torch.rand(2, 3, 1, wide)
    assert (matrix_ranks(one) == 1).all()
    assert (matrix_ranks(torch.randn(2, 3, *shape, generator=generator)) == min(shape)).all()
    assert (matrix_ranks(torch.zeros(2, 3, *shape)) == 0).all()
    two = one + torch.rand(2, 3, high, 1, generator=generator) @ torch.rand(2, 3, 1, wide)
    assert (matrix_ranks(two) == 2).all()


def test_a_channel_scores_the_mean_rank_of_the_maps_that_convolutions_read() -> None:
    stream, inner, joined = GROUPS
    x = MODEL.stem(IMAGES).relu()
    between = MODEL.inner(x).relu()
    end = (x + MODEL.outer(between)).relu()
    # No convolution reads the last map, so HRank puts a ReLU behind it.
    last = MODEL.left(end) + MODEL.right(end)
    scores = raw(MODEL, GROUPS, IMAGES)

    def rank(maps: Tensor) -> Tensor:
        return torch.linalg.matrix_rank(maps).double().mean(0)

    assert [g.name for g in GROUPS] == ["stem", "inner", "left"]
    torch.testing.assert_close(scores[0], (rank(x) + rank(end)) / 2)  # `end` is read twice
    torch.testing.assert_close(scores[1], rank(between))
    torch.testing.assert_close(scores[2], rank(MODEL.right(end).relu()))
    assert last.shape[1] == joined.width
    assert stream.width == 4
    assert inner.width == 5


def test_maps_of_a_dead_and_of_a_flat_channel() -> None:
    network = architecture("resnet14")
    model = trained(network)
    groups = prunable_groups(model, network)
    with torch.no_grad():
        norm = model.get_submodule("layer1.0.bn1")
        norm.weight[:2] = 0
        norm.bias[0], norm.bias[1] = -1, 2
    images = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    all_scores = raw(model, groups, images)
    (scores,) = [s for g, s in zip(groups, all_scores, strict=True) if g.name == "layer1.0.conv1"]
    assert scores[0] == 0
    assert scores[1] == 1
    assert (scores[2:] > 1).all()


def test_the_mean_normaliser_makes_groups_with_maps_of_any_size_alike() -> None:
    normalized = Hrank(HrankParams()).score(scene(MODEL, GROUPS, IMAGES))
    for scores, plain in zip(normalized, raw(MODEL, GROUPS, IMAGES), strict=True):
        assert scores.mean().item() == pytest.approx(1)
        torch.testing.assert_close(scores * plain.mean(), plain)


def test_chunks_do_not_matter() -> None:
    for a, b in zip(raw(MODEL, GROUPS, IMAGES), raw(MODEL, GROUPS, IMAGES, 7), strict=True):
        assert torch.equal(a, b)


def test_tokens_have_no_maps() -> None:
    tokens = nn.Sequential(nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, 2))
    (group,) = find_groups(tokens, (3, 8, 8), [tokens[2]])
    assert not Hrank(HrankParams()).applies(tokens, group)
    assert all(Hrank(HrankParams()).applies(MODEL, g) for g in GROUPS)
