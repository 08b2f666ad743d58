"""Training on made-up images, for the suites of methods and regularisers."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import nn

from prunetune.compress.method import CompactModel, Context, Shrinking, Target
from prunetune.compress.network.rebuild import fresh
from prunetune.compress.regularizer import regularizing
from prunetune.config.parts import Named
from prunetune.config.recipe import Augment, Recipe
from prunetune.data.dataset import DatasetInfo, Splits
from prunetune.data.resident import Images, ResidentSplit
from prunetune.protocols import Hook
from prunetune.records.architecture import Architecture
from prunetune.testing.networks import CPU, TOLERANCE, Network, seeded
from prunetune.train.calibrate import recalibrate
from prunetune.train.loop import train

_TRAIN_SIZE, _VAL_SIZE = 32, 8
RECIPE = Recipe(
    optimizer=Named(name="sgd", params={"lr": 0.02}),
    schedule=Named(name="constant"),
    batch_size=16,
    weight_decay=0.0,
    augment=Augment(crop=0, flip=False),
)
STEPS_PER_EPOCH = _TRAIN_SIZE // RECIPE.batch_size
TRAINING_SEEDS = {"order": 0, "augmentation": 0}
METHOD_EPOCHS = 2
"""Epochs of training that a method under test has."""


def noise_splits(network: Network) -> Splits:
    """The splits of a data set of random images that fits the network."""
    channels, height, width = network.input_shape
    info = DatasetInfo(
        network.input_shape, network.classes, _TRAIN_SIZE, _VAL_SIZE, _VAL_SIZE,
        (0.5,) * channels, (0.25,) * channels, crop=0, flip=False,
    )  # fmt: skip

    def split(size: int, seed: int) -> ResidentSplit:
        shape = (size, height, width, channels)
        pixels = torch.randint(256, shape, generator=seeded(seed), dtype=torch.uint8)
        labels = torch.randint(network.classes, (size,), generator=seeded(seed))
        return ResidentSplit(Images(pixels, labels), info)

    return Splits(info, split(_TRAIN_SIZE, 1), split(_VAL_SIZE, 2), lambda: split(_VAL_SIZE, 3))


def train_network(
    model: nn.Module,
    network: Network,
    epochs: int,
    hooks: Sequence[Hook] = (),
    total: int | None = None,
) -> nn.Module:
    """The same model, trained for `epochs` epochs; they are the first of `total`."""
    for _ in train(
        model, noise_splits(network), RECIPE, epochs, seeds=TRAINING_SEEDS, device=CPU,
        hooks=hooks, total=total,
    ):  # fmt: skip
        pass
    return model


def method_context(
    network: Network,
    share: float,
    *,
    inherits: bool,
    source: Architecture | None = None,
) -> Context:
    """The context that a trial would give a method to bring `network` to a share of its MACs."""
    dense_macs = network.costs(()).macs(())
    splits = noise_splits(network)

    def refresh(model: nn.Module, images: int) -> None:
        recalibrate(model, (x for x, _ in splits.train.sample(images, seeded(4))))

    return Context(
        architecture=network.architecture,
        target=Target(int(dense_macs * share), dense_macs, TOLERANCE),
        generator=seeded(5),
        build=lambda architecture: fresh(architecture, 1),
        epochs=METHOD_EPOCHS,
        dense=network.model if inherits else None,
        source=source,
        batches=lambda images: splits.train.sample(images, seeded(4)),
        train=lambda model, epochs, hooks: train_network(model, network, epochs, hooks),
        steps_per_epoch=STEPS_PER_EPOCH,
        sparsify=lambda regularizer, _: _sparsified(network, regularizer),
        recalibrate=refresh,
    )


def _sparsified(network: Network, regularizer: Named) -> nn.Module:
    """A copy of the network, trained for one epoch under a regulariser."""
    hook = regularizing(regularizer, network.model, network.architecture, STEPS_PER_EPOCH)
    return train_network(copy.deepcopy(network.model), network, 1, [hook])


def finish_compacting(network: Network, result: CompactModel | Shrinking) -> CompactModel:
    """The compact network; if the method returned a `Shrinking`, it is trained first."""
    if isinstance(result, CompactModel):
        return result
    model = train_network(result.model, network, result.epochs, result.hooks, total=METHOD_EPOCHS)
    return result.finish(model)
