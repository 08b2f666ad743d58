"""Every registered criterion on every kind of network, under every scope."""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import Any, get_args

import pytest

from prunetune.compress.criterion import Needs
from prunetune.registry import criteria
from prunetune.testing import Network, check_criterion_on, check_method

NETWORKS = {
    "ResNet-20 A": Network("resnet20", {"shortcut": "A"}),
    "ResNet-20 B": Network("resnet20"),
    "ResNet-18": Network("resnet18", {"widths": (16, 32, 64, 128)}),
    "VGG": Network("cifar_vgg19_bn", {"widths": (8, 16, 32, 64, 64)}),
    "MobileNetV2": Network(
        "mobilenet_v2", {"stem": "cifar", "widths": (8, 8, 8, 8, 16, 16, 16, 32, 64)}
    ),
    "DenseNet": Network("densenet_bc_100", {"growth": 4}),
    "WRN": Network("wrn_40_2", {"widths": (8, 16, 32)}),
    "ViT": Network("vit_tiny", {"patch": 4}),
}
REFUSED = {("bn_scale", "ViT"), ("hrank", "ViT")}
"""What is defined nowhere on a network, and so is refused by name before training."""
BASIC = ("ResNet-20 B", "MobileNetV2")
"""Every criterion is tried on these; the second has depthwise convolutions."""
TYPICAL = ("magnitude", "activation", "taylor", "obd_hessian")
"""Tried on every network, one for each of `Needs`: weights, activations, gradients, curvature."""


def cells(names: Iterable[str], on_all: Container[str]) -> list[Any]:
    """(criterion, network): all pairs, most of them under the marker `matrix`.

    Under none are the networks `BASIC` and refusals, under `slow` the criteria `on_all`.
    """

    def marks(name: str, network: str) -> list[pytest.MarkDecorator]:
        if network in BASIC or (name, network) in REFUSED:
            return []
        return [pytest.mark.slow if name in on_all else pytest.mark.matrix]

    return [
        pytest.param(name, network, marks=marks(name, network))
        for name in names
        for network in NETWORKS
    ]


def small(name: str) -> dict[str, int]:
    """Several statistical batches even of few images."""
    return {"batch": 4} if "batch" in criteria.get(name).params.model_fields else {}


def test_the_typical_criteria_cover_all_needs() -> None:
    assert {criteria.get(name).part.needs for name in TYPICAL} == {*get_args(Needs)}


@pytest.mark.parametrize(("name", "network"), cells(criteria.names(), TYPICAL))
def test_a_criterion_keeps_its_contract_on_a_network(name: str, network: str) -> None:
    applies = check_criterion_on(NETWORKS[network], name, small(name), feasible=True)
    assert applies == ((name, network) not in REFUSED)


@pytest.mark.slow
@pytest.mark.parametrize("name", criteria.names())
def test_channel_pruning_by_a_criterion_is_a_sound_method(name: str) -> None:
    check_method("channel_pruning", {"criterion": {name: small(name)}}, shares=(0.4,))


@pytest.mark.slow
@pytest.mark.parametrize(("name", "network"), cells(("cp", "thinet"), ("thinet",)))
def test_what_is_cut_is_mended_on_every_network(name: str, network: str) -> None:
    params = {"criterion": {name: {"images": 8}}, "steps": 2}
    check_method("channel_pruning", params, network=NETWORKS[network], shares=(0.6,))
