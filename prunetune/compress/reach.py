"""What a method can do about a budget, without weights and without scores: the plan's question.

Every method answers it for itself, `Method(params).reach(architecture, targets)`, unless it takes
another arm's architecture as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import BaseModel

from prunetune.compress.method import Target
from prunetune.records.architecture import Architecture
from prunetune.registry import methods


@dataclass(frozen=True)
class Reach:
    """One method against one target."""

    smallest_macs: int
    """The fewest MACs that the method can reach at all."""
    nearest_macs: int
    """What it would have: within tolerance of the target, or the nearest that was found."""
    within: bool
    reason: str = ""
    """Why it cannot; empty if it can."""


def reach(
    method: str, params: BaseModel, architecture: Architecture, targets: Sequence[Target]
) -> tuple[Reach, ...] | None:
    """For each target, whether `method` with `params` meets it from the dense `architecture`.

    Parameters that are ranges in a sweep must be chosen: ask once per value (of scope, floor,
    criterion). None where the method takes another arm's architecture, whose reach it has. Exact
    for width scaling and local pruning; for the other scopes, whose widths depend on the scores,
    and for copycats of profiles to come `smallest_macs` is exact and the rest is tried with random
    ones.

    Raises:
        ValueError: the method does not apply to this network at all, whatever the target.
    """
    part = methods.get(method).part
    if not hasattr(part, "reach"):
        return None
    found: tuple[Reach, ...] = part(params).reach(architecture, targets)
    return found
