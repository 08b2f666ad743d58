"""The engine on made-up images, for the suites of what acts inside training."""

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
from prunetune.testing.networks import Network, seeded
from prunetune.train.calibrate import recalibrate
from prunetune.train.loop import train

TRAIN, VAL = 32, 8
CPU = torch.device("cpu")
RECIPE = Recipe(
    optimizer=Named(name="sgd", params={"lr": 0.02}),
    schedule=Named(name="constant"),
    batch_size=16,
    weight_decay=0.0,
    augment=Augment(crop=0, flip=False),
)
STEPS_PER_EPOCH = TRAIN // RECIPE.batch_size
SEEDS = {"order": 0, "augmentation": 0}
TOLERANCE = 0.005
EPOCHS = 2
"""That a method under test may use."""


def made_up(network: Network) -> Splits:
    """A data set of noise that fits the network."""
    channels, height, width = network.input_shape
    info = DatasetInfo(
        network.input_shape, network.classes, TRAIN, VAL, VAL, (0.5,) * channels,
        (0.25,) * channels, crop=0, flip=False,
    )  # fmt: skip

    def split(size: int, seed: int) -> ResidentSplit:
        shape = (size, height, width, channels)
        pixels = torch.randint(256, shape, generator=seeded(seed), dtype=torch.uint8)
        labels = torch.randint(network.classes, (size,), generator=seeded(seed))
        return ResidentSplit(Images(pixels, labels), info)

    return Splits(info, split(TRAIN, 1), split(VAL, 2), lambda: split(VAL, 3))


def trained(
    model: nn.Module,
    network: Network,
    epochs: int,
    hooks: Sequence[Hook] = (),
    total: int | None = None,
) -> nn.Module:
    """The same model after so many epochs of the engine, the first of `total`."""
    for _ in train(
        model, made_up(network), RECIPE, epochs, seeds=SEEDS, device=CPU, hooks=hooks, total=total
    ):
        pass
    return model


def context(
    network: Network,
    share: float,
    *,
    inherits: bool,
    source: Architecture | None = None,
) -> Context:
    """What trial.py gives a method, to bring `network` to a share of its MACs."""
    dense_macs = network.costs(()).macs(())
    splits = made_up(network)

    def refresh(model: nn.Module, images: int) -> None:
        recalibrate(model, (x for x, _ in splits.train.sample(images, seeded(4))))

    return Context(
        architecture=network.architecture,
        target=Target(int(dense_macs * share), dense_macs, TOLERANCE),
        generator=seeded(5),
        build=lambda architecture: fresh(architecture, 1),
        epochs=EPOCHS,
        dense=network.model if inherits else None,
        source=source,
        batches=lambda images: splits.train.sample(images, seeded(4)),
        train=lambda model, epochs, hooks: trained(model, network, epochs, hooks),
        steps_per_epoch=STEPS_PER_EPOCH,
        sparsify=lambda regularizer, _: sparsified(network, regularizer),
        recalibrate=refresh,
    )


def sparsified(network: Network, regularizer: Named) -> nn.Module:
    """The network after an epoch with a regulariser."""
    hook = regularizing(regularizer, network.model, network.architecture, STEPS_PER_EPOCH)
    return trained(copy.deepcopy(network.model), network, 1, [hook])


def compact(network: Network, found: CompactModel | Shrinking) -> CompactModel:
    """What a method handed over, once the training is done that makes it compact."""
    if isinstance(found, CompactModel):
        return found
    model = trained(found.model, network, found.epochs, found.hooks, total=EPOCHS)
    return found.finish(model)
