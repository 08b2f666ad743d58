"""Scores do not depend on the portions in which a criterion gets its images."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

import pytest
import torch

from prunetune.compress.criterion import Scene
from prunetune.config.parts import Named
from prunetune.protocols import Batch
from prunetune.registry import criteria
from prunetune.testing.networks import RESIDUAL, seeded

_IMAGES = 13
SMALL_BATCHES = {"fisher_accumulated": {"batch": 4}, "taylor": {"batch": 4}}
"""So that statistical batches have a rest of one image."""


def looks_at_images(name: str) -> bool:
    return getattr(criteria.get(name).part, "needs", None) != "weights"


((X, Y),) = RESIDUAL.batches(_IMAGES, _IMAGES)(_IMAGES)


def scores(name: str, sizes: Sequence[int], labels: torch.Tensor = Y) -> list[torch.Tensor]:
    """The scores of the images in portions of these sizes."""
    criterion = criteria.make(Named(name=name, params=SMALL_BATCHES.get(name, {})))
    groups = [g for g in RESIDUAL.groups if criterion.applies(RESIDUAL.model, g)]

    def batches(n: int) -> Iterator[Batch]:
        return zip(X.split(list(sizes)), labels.split(list(sizes)), strict=True)

    scene = Scene(RESIDUAL.model, RESIDUAL.input_shape, groups, seeded(5), batches)
    found: list[torch.Tensor] = criterion.score(scene)
    return found


@pytest.mark.parametrize("name", filter(looks_at_images, criteria.names()))
def test_any_portions_give_the_scores_of_one(name: str) -> None:
    draw = random.Random(0)
    whole = scores(name, [_IMAGES])
    for sizes in ([12, 1], [1, 12], random_sizes(draw), random_sizes(draw)):
        for a, b in zip(whole, scores(name, sizes), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4 * float(a.abs().max()))


def random_sizes(draw: random.Random) -> list[int]:
    """Random sizes that add up to all images, the largest first."""
    sizes: list[int] = []
    while missing := _IMAGES - sum(sizes):
        sizes.append(draw.randint(1, missing))
    return sorted(sizes, reverse=True)


def test_a_rest_of_one_image_counts_in_training_mode() -> None:
    labels = Y.clone()
    labels[-1] = (labels[-1] + 1) % RESIDUAL.classes
    before = scores("fisher_accumulated", [_IMAGES])
    after = scores("fisher_accumulated", [_IMAGES], labels)
    assert not any(torch.equal(a, b) for a, b in zip(before, after, strict=True))
