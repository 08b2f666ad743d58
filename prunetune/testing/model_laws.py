"""What every model family must hold."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from prunetune.compress.budget.costs import count_macs
from prunetune.compress.graph.groups import Group
from prunetune.compress.network.cut import cut
from prunetune.compress.network.rebuild import layer_widths, rebuild
from prunetune.config.parts import Named
from prunetune.models.family import classifier
from prunetune.protocols import Shape
from prunetune.records.architecture import Architecture
from prunetune.registry import models
from prunetune.testing.networks import Network, seeded

CLASSES = 4
COUNTED = ("convolution", "addmm", "mm")
"""torch's names for what convolution and linear layers compute."""


def check_model(
    name: str, params: Mapping[str, Any] | None = None, *, input_shape: Shape = (3, 32, 32)
) -> None:
    """Assert the laws of the registered model `name` with these parameters.

    It is built without data (under the device meta) as it is with; its init follows from the global
    generator alone; its MACs are those that torch's own counter sees; the classifier keeps its
    outputs; a network cut along its groups computes what the dense one does with the removed
    channels silenced; and the cut network rebuilds, bit for bit, from its table of layers.
    """
    assert not isinstance(models.get(name).part, type), (
        f"model {name!r}: its class is registered; register an object of it: "
        f"models.register({name!r}, params=…)(Family())"
    )
    network = Network(name, dict(params or {}), input_shape, CLASSES)
    _check_build(network)
    _check_init(network)
    _check_macs(network)
    _check_ignored(network)
    removed = [range(0, group.width, 3)[: group.width - 1] for group in network.groups]
    _check_cut(network, removed)


def _check_build(network: Network) -> None:
    family, chosen = models.checked(Named(name=network.name, params=dict(network.params)))
    with torch.device("meta"):
        empty = family.build(chosen, CLASSES, network.input_shape)
    tensors = [*empty.parameters(), *empty.buffers()]
    assert all(tensor.is_meta for tensor in tensors), (
        f"model {network}: built under torch.device('meta'), it still made real tensors; create "
        "parameters and buffers on the default device"
    )
    logits = empty.eval()(torch.empty(2, *network.input_shape, device="meta"))
    assert tuple(logits.shape) == (2, CLASSES), (
        f"model {network}: two images give {tuple(logits.shape)}, not logits {(2, CLASSES)}"
    )


def _check_init(network: Network) -> None:
    part, model = models.get(network.name).part, rebuild(network.architecture)
    states = []
    for seed in (0, 0, 1):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            part.initialise(model)
        states.append(copy.deepcopy(model.state_dict()))
    first, again, other = states
    for key, value in first.items():
        assert torch.equal(value, again[key]), (
            f"model {network}: initialise gives another {key!r} when it is called again under the "
            "same global seed; set every parameter and buffer, from the global generator alone"
        )
    assert any(not torch.equal(value, other[key]) for key, value in first.items()), (
        f"model {network}: initialise gives the same weights under another global seed"
    )


def _check_macs(network: Network) -> None:
    told = count_macs(network.model, network.input_shape)
    seen = flops_seen(network.model, network.input_shape) // 2
    assert told == seen, (
        f"model {network}: {told} MACs are counted in its convolution and linear layers, torch's "
        f"counter sees {seen}; use nn.Conv2d and nn.Linear modules, not their functional forms"
    )


def flops_seen(model: nn.Module, input_shape: Shape) -> int:
    """FLOPs of convolutions and matrix products with weights in one forward pass of one image."""
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        copy.deepcopy(model).eval()(torch.zeros(1, *input_shape))
    counts = counter.get_flop_counts()["Global"]
    return sum(n for op, n in counts.items() if str(op).rpartition(".")[2] in COUNTED)


def _check_ignored(network: Network) -> None:
    model = network.model
    ignored = models.get(network.name).part.ignored_layers(model)
    assert any(layer is classifier(model) for layer in ignored), (
        f"model {network}: ignored_layers lacks the classifier, so its classes would be pruned"
    )
    own = {id(layer) for layer in model.modules()}
    assert all(id(layer) in own for layer in ignored), (
        f"model {network}: ignored_layers must return layers of the model it was given"
    )
    assert network.groups, (
        f"model {network}: no coupled channels were found, so nothing can be pruned; are layers "
        "other than convolution, linear and norm layers in the way?"
    )


def _check_cut(network: Network, removed: Sequence[Sequence[int]]) -> None:
    shape, groups = network.input_shape, network.groups
    dense = copy.deepcopy(network.model).double().eval()
    narrow = cut(dense, groups, removed).eval()
    image = torch.randn(2, *shape, generator=seeded(9), dtype=torch.float64)
    with torch.no_grad():
        expected, found = silenced(dense, groups, removed)(image), narrow(image)
    assert torch.allclose(expected, found, rtol=1e-6, atol=1e-8), (
        f"model {network}: cut along its groups it differs from the dense network with the same "
        f"channels silenced by {(expected - found).abs().max():.2e}; its forward pass joins "
        "channels in a way that the groups do not show"
    )
    widths = [group.width - len(units) for group, units in zip(groups, removed, strict=True)]
    assert count_macs(narrow, shape) == network.costs(groups).macs(widths), (
        f"model {network}: the cut network has other MACs than its table of costs says"
    )
    layers = layer_widths(narrow)
    check_rebuild(
        f"model {network}", network.architecture.model_copy(update={"layers": layers}), narrow
    )


def check_rebuild(who: str, architecture: Architecture, compact: nn.Module) -> None:
    """Assert that `compact` comes back from its architecture alone, and computes the same bits."""
    compact = copy.deepcopy(compact).cpu().double().eval()
    again = rebuild(architecture).double().eval()
    again.load_state_dict(compact.state_dict())
    for model in (compact, again):  # one may come from training, in another memory format
        model.to(memory_format=torch.contiguous_format)
    image = torch.randn(2, *architecture.input_shape, generator=seeded(9), dtype=torch.float64)
    with torch.no_grad():
        assert torch.equal(again(image), compact(image)), (
            f"{who}: rebuilt from its architecture with the same weights, the network computes "
            "other logits; what a network is must follow from its parameters and layer widths"
        )


def silenced(
    model: nn.Module, groups: Sequence[Group], removed: Sequence[Sequence[int]]
) -> nn.Module:
    """The same network where nothing reads the removed channels: what a cut must compute."""
    quiet = copy.deepcopy(model)
    for group, units in zip(groups, removed, strict=True):
        for member in group.members:
            if member.side == "in":
                layer = quiet.get_submodule(member.layer)
                assert isinstance(layer, nn.Conv2d | nn.Linear)
                _mute(layer, [int(i) for i in member.index[list(units)].ravel()])
    return quiet


@torch.no_grad()
def _mute(layer: nn.Conv2d | nn.Linear, inputs: Sequence[int]) -> None:
    """Weights 0 for these input channels."""
    slices = layer.weight.shape[1]
    rows = layer.weight.shape[0] // (layer.groups if isinstance(layer, nn.Conv2d) else 1)
    for i in inputs:
        place = slice(i // slices * rows, (i // slices + 1) * rows)
        layer.weight[place, i % slices] = 0
