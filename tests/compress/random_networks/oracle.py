"""Holds groups, costs, cuts, masks and rebuilding to what a network computes, for any network.

The oracle knows nothing of the product's own proof. What a cut must compute is the network in which
a hook zeroes, on the inputs of every layer that reads them, the channels that the cut removes.
"""

from __future__ import annotations

import copy
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from prunetune.compress.budget.costs import CostTable, count_macs
from prunetune.compress.graph.groups import Group
from prunetune.compress.network.cut import cut, other_units
from prunetune.compress.network.masks import MaskHook, unit_masks
from prunetune.compress.network.rebuild import layer_widths, resize
from prunetune.compress.network.remaining import remaining_groups
from prunetune.compress.proof.proved_groups import find_groups, prove
from tests.compress.random_networks.network import Classifier, Recipe, network

TOLERANCE = 1e-8
"""Of the largest output: what rounding may make in double precision."""


@dataclass
class Outcome:
    """What became of one network."""

    refused: str = ""
    """Why the whole network was refused, its names and numbers left out."""
    found: int = 0
    """Groups that may be pruned."""
    left: Counter[str] = field(default_factory=Counter)
    """Why groups were left alone."""
    changed: bool = False
    """Whether a cut changed the output, as nearly all must."""


def check(recipe: Recipe, seed: int) -> Outcome:
    """Assert that no cut of this network is wrong."""
    model = network(recipe)
    layers = [name for name, _ in model.named_modules() if name]
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    try:
        proved = prove(model, recipe.maps, [model.head.last])
    except ValueError as error:
        message = str(error)
        assert any(name in message for name in layers), f"refused without a layer: {message}"
        return Outcome(refused=without_names(message, layers))
    groups, outcome = proved.groups, Outcome(found=len(proved.groups))
    for entry in proved.left_alone:
        assert entry.layer in layers
        assert 0 <= entry.share <= 1
        outcome.left[without_names(entry.reason, layers)] += 1
    if outcome.left and not groups:
        message = refusal(lambda: find_groups(model, recipe.maps, [model.head.last]))
        assert any(name in message for name in layers), f"refused without a layer: {message}"
    x = torch.randn(2, *recipe.maps, generator=torch.Generator().manual_seed(seed)).double()
    assert count_macs(model, recipe.maps) == counted(model, x)
    if groups:
        tried, rng = _Tried(recipe, model, groups, x), Random(seed)
        for removed in unit_sets(groups, rng):
            outcome.changed |= tried.check(removed)
        _check_second_round(model, groups, x, rng)
    after = model.state_dict()
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())
    return outcome


def refusal(call: Callable[[], object]) -> str:
    """The message of the ValueError that the call must raise."""
    try:
        call()
    except ValueError as error:
        return str(error)
    raise AssertionError("no group can be pruned, and find_groups does not refuse the network")


def without_names(message: str, layers: Sequence[str]) -> str:
    """A message with a dot for every name of a layer and every number."""
    for name in sorted(layers, key=len, reverse=True):
        if "." in name:
            message = message.replace(name, "·")
    return re.sub(r"\d+", "·", message)


def unit_sets(groups: Sequence[Group], rng: Random) -> list[list[list[int]]]:
    """Units of each group to remove: random halves, all but one, some of a single group."""

    def some(group: Group, most: int) -> list[int]:
        return sorted(rng.sample(range(group.width), rng.randint(0, most)))

    halves = [some(group, group.width // 2) for group in groups]
    most = [sorted(rng.sample(range(g.width), g.width - 1)) for g in groups]
    chosen = rng.randrange(len(groups))
    one = [some(g, g.width - 1) if i == chosen else [] for i, g in enumerate(groups)]
    return [halves, most, one]


def _check_second_round(model: Classifier, groups: Sequence[Group], x: Tensor, rng: Random) -> None:
    """Assert that a narrow network, whose groups are not proved again, is cut right once more."""
    first = unit_sets(groups, rng)[0]
    narrow = cut(model, groups, first)
    left = remaining_groups(groups, other_units(groups, first))
    groups = [group for group in left if group is not None]
    removed = unit_sets(groups, rng)[0]
    with torch.no_grad():
        with deaf(narrow, groups, removed):
            expected = narrow(x)
        _assert_close(cut(narrow, groups, removed)(x), expected, f"second cut of {removed}")


class _Tried:
    """A network whose cuts are tried."""

    def __init__(
        self, recipe: Recipe, model: nn.Module, groups: Sequence[Group], x: Tensor
    ) -> None:
        self.recipe, self.model, self.groups, self.x = recipe, model, groups, x
        self.costs = CostTable.measure(model, recipe.maps, groups)
        self.rebuilt = network(recipe, seed=1)
        self.dense = self.output(model)

    def output(self, model: nn.Module) -> Tensor:
        with torch.no_grad():
            logits: Tensor = model(self.x)
        return logits

    def check(self, removed: Sequence[Sequence[int]]) -> bool:
        """Assert the laws of one cut; whether it changed the output."""
        narrow = cut(self.model, self.groups, removed)
        with deaf(self.model, self.groups, removed):
            expected = self.output(self.model)
        actual = self.output(narrow)
        _assert_close(actual, expected, f"cut of {removed}")
        weights = copy.deepcopy(self.model.state_dict())
        MaskHook(unit_masks(self.model, self.groups, removed)).apply(self.model)
        _assert_close(self.output(self.model), expected, f"masked {removed}")
        self.model.load_state_dict(weights)
        resize(self.rebuilt, layer_widths(narrow))
        self.rebuilt.load_state_dict(narrow.state_dict())
        assert torch.equal(self.output(self.rebuilt), actual), f"rebuilt without {removed}"
        widths = [g.width - len(units) for g, units in zip(self.groups, removed, strict=True)]
        promised, ours = self.costs.macs(widths), count_macs(narrow, self.recipe.maps)
        torchs = counted(narrow, self.x)
        assert promised == ours == torchs, f"{promised} MACs promised, {ours} counted, {torchs}"
        return not torch.equal(self.dense, expected)


@contextmanager
def deaf(
    model: nn.Module, groups: Sequence[Group], removed: Sequence[Sequence[int]]
) -> Iterator[None]:
    """No layer of the network hears the removed units."""
    handles = []
    for group, units in zip(groups, removed, strict=True):
        for member in (member for member in group.members if member.side == "in"):
            channels = torch.from_numpy(member.index[list(units)].ravel())

            def hook(layer: nn.Module, inputs: Any, channels: Tensor = channels) -> Tensor:
                dim = -1 if isinstance(layer, nn.Linear) else 1
                heard: Tensor = inputs[0].index_fill(dim, channels, 0)
                return heard

            handles.append(model.get_submodule(member.layer).register_forward_pre_hook(hook))
    yield
    for handle in handles:
        handle.remove()


def counted(model: nn.Module, x: Tensor) -> int:
    """What PyTorch's counter counts for one image."""
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # its attention is one operation, uncounted
    try:
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            model(x[:1])
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
    return counter.get_total_flops() // 2


def _assert_close(actual: Tensor, expected: Tensor, what: str) -> None:
    difference = float((actual - expected).abs().max())
    assert difference <= TOLERANCE * max(1.0, float(expected.abs().max())), (
        f"{what}: the output differs by {difference:.2g} from that of the network in which nothing "
        "reads the removed channels"
    )
