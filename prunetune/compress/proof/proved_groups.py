"""The groups of a network whose cuts are proved, and those that are left alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from prunetune.compress.graph.groups import Group, Refused
from prunetune.compress.graph.traced import traced_groups
from prunetune.compress.network.logits import kept_whole
from prunetune.compress.network.rebuild import family_network, layer_widths
from prunetune.compress.network.undrawn import undrawn
from prunetune.compress.proof.prover import Prover
from prunetune.compress.proof.shares import fixed_share
from prunetune.plan import LeftAlone
from prunetune.protocols import Shape
from prunetune.records.architecture import Architecture
from prunetune.records.key import canonical
from prunetune.registry import models


@dataclass(frozen=True)
class Proved:
    """What is proved of the cuts of a network."""

    groups: tuple[Group, ...]
    """Groups that can be cut, one by one and together, in the network's order."""
    left_alone: tuple[LeftAlone, ...]
    """Coupled channels that cannot, in the network's order."""
    widths: dict[str, tuple[int, ...]]
    """The widths of the layers."""


def find_groups(
    model: nn.Module, input_shape: Shape, ignored: Sequence[nn.Module] = ()
) -> tuple[Group, ...]:
    """The groups whose units may be removed, in the network's order; each cut of them is proved.

    A group is left out if it has output channels of a layer in `ignored` (such as the classifier),
    if it has channels of a layer that is no convolution, linear or batch norm layer, or if its cut
    does not compute what the network computes without these units. Only copies of `model` are used.

    Raises:
        ValueError: channels cannot be traced through this network, or no group of them can be cut;
            names a layer and says why.
    """
    proved = prove(model, input_shape, ignored)
    _check_some(type(model).__name__, proved.groups, proved.left_alone)
    return proved.groups


def prunable_groups(model: nn.Module, architecture: Architecture) -> tuple[Group, ...]:
    """The groups of a network of a registered family, without those that the family keeps whole.

    `model` may be narrower than its family's network, for which the cuts are proved, once in a
    process.

    Raises:
        ValueError: see `find_groups`.
    """
    key = _key(architecture)
    if key not in _left_alone:
        _prove_family(architecture)
    left_alone, groups = _left_alone[key], _groups.get(key)
    if groups is None or groups.widths != layer_widths(model):
        ignored = kept_whole(model, architecture)
        traced = traced_groups(model, architecture.input_shape, ignored).groups
        names = {entry.layer for entry in left_alone}
        found = tuple(group for group in traced if group.name not in names)
    else:
        found = groups.groups
    _check_some(architecture.model, found, left_alone)
    return found


def left_alone(architecture: Architecture) -> tuple[LeftAlone, ...]:
    """The coupled channels of the family's network that no cut is proved for, each with the reason.

    Raises:
        ValueError: channels cannot be traced through this network; names a layer.
    """
    key = _key(architecture)
    if key not in _left_alone:
        _prove_family(architecture)
    return _left_alone[key]


def believe(architecture: Architecture, known: Iterable[LeftAlone]) -> None:
    """Take over from a plan what `left_alone` returned then, so that nothing is proved again."""
    _left_alone.setdefault(_key(architecture), tuple(known))


def prove(model: nn.Module, input_shape: Shape, ignored: Sequence[nn.Module] = ()) -> Proved:
    """Prove the cuts of all groups but those of layers in `ignored`.

    Raises:
        ValueError: channels cannot be traced through this network; names a layer.
    """
    groups, refused = try_groups(model, input_shape, ignored)
    share = fixed_share(model, input_shape, groups)
    entries = (LeftAlone(layer=r.layer, reason=r.reason, share=share(r)) for r in refused)
    return Proved(groups, tuple(entries), layer_widths(model))


def try_groups(
    model: nn.Module, input_shape: Shape, ignored: Sequence[nn.Module] = ()
) -> tuple[tuple[Group, ...], tuple[Refused, ...]]:
    """The groups that can be cut, and those that cannot, both in the network's order.

    Raises:
        ValueError: channels cannot be traced through this network; names a layer.
    """
    traced = traced_groups(model, input_shape, ignored)
    joined = [g for g in traced.groups if g.width == 1 < len(g.channels([0]))]
    groups = [g for g in traced.groups if g not in joined]
    refused = [*traced.refused, *(Refused.of(group, _JOINED) for group in joined)]
    right: Sequence[Group] = ()
    if groups:
        try:
            right, wrong = Prover(model, input_shape).proved(groups)
        except ValueError as error:
            wrong = [(group, str(error)) for group in groups]
        refused += [Refused.of(group, why, mistaken=True) for group, why in wrong]
    order = {name: i for i, (name, _) in enumerate(model.named_modules())}
    return (
        tuple(sorted(right, key=lambda group: order[group.name])),
        tuple(sorted(refused, key=lambda group: order[group.layer])),
    )


_JOINED = "all of them are one unit, and the last unit of a layer is never removed"


def _check_some(who: str, groups: Sequence[Group], alone: Sequence[LeftAlone]) -> None:
    """Raise ValueError if channels are left alone and none can be cut."""
    if alone and not groups:
        reasons = "; ".join(f"{entry.layer}: {entry.reason}" for entry in alone[:3])
        more = f"; and {len(alone) - 3} more" if len(alone) > 3 else ""
        raise ValueError(f"no channels of {who} can be pruned: {reasons}{more}")


_left_alone: dict[Any, tuple[LeftAlone, ...]] = {}
_groups: dict[Any, Proved] = {}
"""What this process has proved, or believed, of families' networks, by `_key`."""


def _key(architecture: Architecture) -> tuple[Any, str]:
    """The family and the parameters of the network, whatever it has been cut to."""
    facts = architecture.model_dump(mode="json", exclude={"layers"})
    return models.get(architecture.model).part, canonical(facts)


def _prove_family(architecture: Architecture) -> None:
    """Prove the cuts of the family's network, and keep what was proved for this process."""
    with undrawn():
        model = family_network(architecture)
    ignored = kept_whole(model, architecture)
    key = _key(architecture)
    _groups[key] = prove(model, architecture.input_shape, ignored)
    _left_alone[key] = _groups[key].left_alone
