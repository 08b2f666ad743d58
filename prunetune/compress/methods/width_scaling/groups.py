"""Thin networks of families without stages: all groups of coupled channels, scaled by one factor.

The factor is the largest whose rounded widths fit the budget. Rounding may leave the MACs below the
tolerance; the repairs are then those of a ranking of channels (`budget/select.py`), applied to the
order in which one shrinking factor would remove the units of all groups.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from prunetune.compress.method import CompactModel, Context, Target, try_to_reach
from prunetune.compress.methods.profile import Profile
from prunetune.compress.network.rebuild import family_of
from prunetune.plan import Reach
from prunetune.records.architecture import Architecture


def scales_groups(architecture: Architecture) -> bool:
    """Whether thin networks of this family are those of this module."""
    return bool(getattr(family_of(architecture)[0], "scales_groups", False))


def thin_by_groups(context: Context, round_to: int) -> CompactModel:
    """The dense network with all groups scaled by one factor, with fresh weights.

    Raises:
        Infeasible: channels are too coarse, or one per group is too much.
        ValueError: the network has no groups that could be scaled.
    """
    dense = Profile.of(context.architecture, context.architecture)
    widths, departures = dense.scaled(dense.kept, context.target, round_to)
    thin, macs = dense.architecture(widths), dense.costs.macs(widths)
    return CompactModel(context.build(thin), thin, macs, departures=departures)


def reach_by_groups(
    architecture: Architecture, targets: Sequence[Target], round_to: int
) -> tuple[Reach, ...]:
    """Whether such a network meets each target; exact."""
    dense = Profile.of(architecture, architecture)
    smallest = dense.costs.macs([1] * len(dense.kept))
    return tuple(
        try_to_reach(target, smallest, [partial(_macs, dense, target, round_to)])
        for target in targets
    )


def _macs(dense: Profile, target: Target, round_to: int) -> int:
    widths, _ = dense.scaled(dense.kept, target, round_to)
    return dense.costs.macs(widths)
