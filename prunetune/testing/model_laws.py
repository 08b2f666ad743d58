"""The laws that every model family must keep."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from prunetune.compress.budget.costs import count_macs
from prunetune.compress.budget.counting import count_by_module
from prunetune.compress.graph.groups import Group
from prunetune.compress.network.cut import cut
from prunetune.compress.network.logits import kept_whole, output_layers
from prunetune.compress.network.rebuild import layer_widths, rebuild
from prunetune.compress.proof.proved_groups import try_groups
from prunetune.config.parts import Named
from prunetune.protocols import Shape
from prunetune.records.architecture import Architecture
from prunetune.registry import models
from prunetune.testing.networks import Network, reading_entries, seeded

_CLASSES = 4


def check_model(
    name: str, params: Mapping[str, Any] | None = None, *, input_shape: Shape = (3, 32, 32)
) -> None:
    """Assert the laws of the registered model `name` with these parameters.

    - It can be built without memory for its weights, under the device meta.
    - Its initial weights depend only on the global random generator.
    - Its MACs are those that PyTorch's own counter counts.
    - The classifier keeps its outputs.
    - Channels can be traced through the network, and every group of them that is found is proved
      (`prunetune.compress.proof`): without some of its units the network computes what the dense
      network computes when nothing reads the removed channels, at the MACs that were promised.
    - The cut network can be rebuilt, bit for bit, from its table of layers.
    """
    assert not isinstance(models.get(name).part, type), (
        f"model {name!r}: its class is registered; register an object of it: "
        f"models.register({name!r}, params=…)(Family())"
    )
    network = Network(name, dict(params or {}), input_shape, _CLASSES)
    _check_build(network)
    _check_init(network)
    _check_macs(network)
    _check_ignored(network)
    _check_groups(network)
    removed = [range(0, group.width, 3)[: group.width - 1] for group in network.groups]
    _check_cut(network, removed)


def _check_build(network: Network) -> None:
    family, chosen = models.checked(Named(name=network.name, params=dict(network.params)))
    with torch.device("meta"):
        empty = family.build(chosen, _CLASSES, network.input_shape)
    tensors = [*empty.parameters(), *empty.buffers()]
    assert all(tensor.is_meta for tensor in tensors), (
        f"model {network}: built under torch.device('meta'), it still made real tensors; create "
        "parameters and buffers on the default device"
    )
    logits = empty.eval()(torch.empty(2, *network.input_shape, device="meta"))
    assert tuple(logits.shape) == (2, _CLASSES), (
        f"model {network}: two images give {tuple(logits.shape)}, not logits {(2, _CLASSES)}"
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
    ours = count_macs(network.model, network.input_shape)
    torchs = _torch_flops(network.model, network.input_shape) // 2
    found = count_by_module(network.model, network.input_shape)
    assert ours == torchs, (
        f"model {network}: {ours} MACs are counted, torch's counter sees {torchs}; use nn.Conv2d "
        f"and nn.Linear modules for its weights; products outside layers: {found.products}"
    )
    unknown = [
        f"{name or type(network.model).__name__} ({', '.join(sorted(functions))})"
        for name, functions in found.uncounted.items()
    ]
    assert not unknown, (
        f"model {network}: neither torch's counter nor ours knows the MACs of {'; '.join(unknown)};"
        " a budget would leave them out"
    )


def _torch_flops(model: nn.Module, input_shape: Shape) -> int:
    """FLOPs that PyTorch counts for one image."""
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        image = torch.zeros(1, *input_shape, dtype=next(model.parameters()).dtype)
        copy.deepcopy(model).eval()(image)
    return counter.get_total_flops()


def _check_groups(network: Network) -> None:
    """Assert that no channels are followed to the wrong places."""
    ignored = kept_whole(network.model, network.architecture)
    try:
        groups, refused = try_groups(network.model, network.input_shape, ignored)
    except ValueError as error:
        raise AssertionError(f"model {network}: {error}") from error
    wrong = [f"{group.layer}: {group.reason}" for group in refused if group.mistaken]
    assert not wrong, (
        f"model {network}: the channels of {'; '.join(wrong)}; a sweep leaves them alone; return "
        "these layers from ignored_layers if they shall stay whole, or declare their units"
    )
    assert groups, (
        f"model {network}: it has no group of coupled channels, so nothing can be pruned; does it "
        "have layers other than convolution, linear and norm layers?"
    )


def _check_ignored(network: Network) -> None:
    model = network.model
    ignored = kept_whole(model, network.architecture)
    kept = {id(layer) for layer in ignored}
    outputs = output_layers(model, network.input_shape)
    assert outputs, f"model {network}: no convolution or linear layer computes its logits"
    assert all(id(layer) in kept for layer in outputs), (
        f"model {network}: ignored_layers lacks the classifier, so its classes would be pruned"
    )
    layers = {id(layer) for layer in model.modules()}
    assert all(id(layer) in layers for layer in ignored), (
        f"model {network}: ignored_layers must return layers of the model it was given"
    )


def _check_cut(network: Network, removed: Sequence[Sequence[int]]) -> None:
    shape, groups = network.input_shape, network.groups
    dense = copy.deepcopy(network.model).double().eval()
    narrow = cut(dense, groups, removed).eval()
    image = torch.randn(2, *shape, generator=seeded(9), dtype=torch.float64)
    with torch.no_grad():
        expected, actual = silenced(dense, groups, removed)(image), narrow(image)
    assert torch.allclose(expected, actual, rtol=1e-6, atol=1e-8), (
        f"model {network}: cut along its groups it differs from the dense network with the same "
        f"channels silenced by {(expected - actual).abs().max():.2e}; its forward pass joins "
        "channels in a way that the groups do not show"
    )
    widths = [group.width - len(units) for group, units in zip(groups, removed, strict=True)]
    promised = network.costs(groups).macs(widths)
    assert count_macs(narrow, shape) == promised == _torch_flops(narrow, shape) // 2, (
        f"model {network}: the cut network has other MACs than its table of costs says"
    )
    layers = layer_widths(narrow)
    check_rebuild(
        f"model {network}", network.architecture.model_copy(update={"layers": layers}), narrow
    )


def check_rebuild(who: str, architecture: Architecture, compact: nn.Module) -> None:
    """Assert that `architecture` alone rebuilds `compact`: equal weights give equal bits."""
    compact = copy.deepcopy(compact).cpu().double().eval()
    again = rebuild(architecture).double().eval()
    again.load_state_dict(compact.state_dict())
    for model in (compact, again):  # training may have changed the memory format of `compact`
        model.to(memory_format=torch.contiguous_format)
    image = torch.randn(2, *architecture.input_shape, generator=seeded(9), dtype=torch.float64)
    with torch.no_grad():
        assert torch.equal(again(image), compact(image)), (
            f"{who}: rebuilt from its architecture with the same weights, the network computes "
            "other logits; its parameters and layer widths must determine the network"
        )


def silenced(
    model: nn.Module, groups: Sequence[Group], removed: Sequence[Sequence[int]]
) -> nn.Module:
    """A copy of the network in which nothing reads the removed units: what a cut must compute."""
    copied = copy.deepcopy(model)
    for group, units in zip(groups, removed, strict=True):
        for member in group.members:
            if member.side == "in":
                layer = copied.get_submodule(member.layer)
                weight = layer.get_parameter("weight").data
                for channel in member.index[list(units)].ravel():
                    weight[reading_entries(layer, int(channel))] = 0
    return copied
