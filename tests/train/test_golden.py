"""Twenty steps of training give the losses that they gave when the engine last changed on purpose.

They run in float32 on digits, so that all machines give the same figures but for the order of sums
(AVX2 and AVX-512 differ by 0.2 % in training, 0.7 % in validation). A commit that changes the
figures says what the change means, since published results came from the former figures.
"""

from __future__ import annotations

import pytest
import torch

from prunetune.config.parts import Named
from prunetune.config.recipe import Recipe
from prunetune.registry import datasets, models
from prunetune.train import loop
from tests.train.conftest import CPU

PLAIN = Recipe(optimizer=Named(name="sgd", params={"lr": 0.01}), batch_size=64)
EVERYTHING = Recipe(
    optimizer=Named(name="adamw", params={"lr": 1e-3}),
    schedule=Named(name="one_cycle"),
    batch_size=64,
    label_smoothing=0.1,
    mixup=0.2,
    cutmix=1.0,
    grad_clip=1.0,
    ema=0.99,
)
TRACES = {
    "plain": (
        PLAIN,
        [2.84258, 2.31984, 2.10702, 1.9508, 1.8872],
        [3.97624, 2.56584, 2.14218, 1.94532, 1.85481],
    ),
    "everything": (
        EVERYTHING,
        [3.16204, 2.76642, 2.40138, 2.23729, 2.23807],
        [5.93908, 3.15635, 2.51881, 2.16673, 2.0209],
    ),
}
"""Recipe, and training and validation losses of five epochs of four steps."""


@pytest.mark.parametrize("name", TRACES)
def test_twenty_steps_give_the_same_losses_as_ever(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "precision", lambda device: torch.float32)
    recipe, train_losses, val_losses = TRACES[name]
    family, digits = models.get("resnet14"), datasets.get("digits")
    splits = digits.part(digits.params(train_limit=256)).open(0, CPU, download=False)
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        model = family.part.build(family.params(), splits.info.classes, splits.info.shape)
        family.part.initialise(model)
    seeds = {"order": 0, "augmentation": 0}
    curve = list(loop.train(model, splits, recipe, 5, seeds=seeds, device=CPU))
    assert [e.train_loss for e in curve] == pytest.approx(train_losses, rel=0.01)
    assert [e.val_loss for e in curve] == pytest.approx(val_losses, rel=0.02)
