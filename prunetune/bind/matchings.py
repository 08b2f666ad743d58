"""Checks which matchings the arms of a sweep take part in."""

from __future__ import annotations

from collections.abc import Iterator

from prunetune.bind.lookup import BoundArm, Parts
from prunetune.config.file.model import SweepSpec
from prunetune.config.matching import needs_dense_epochs
from prunetune.config.problems.errors import Problems


def check_matchings(spec: SweepSpec, parts: Parts, problems: Problems) -> None:
    """Refuse matchings whose epochs are unknown, and arms in matchings that they can't take."""
    _check_epochs(spec, problems)
    for name, arm in parts.arms.items():
        for message, allowed in _why_not(spec, parts, arm):
            match = arm.spec.match
            value = match[0] if match is not None and len(match) == 1 else match
            problems.add(("arms", name, "match"), message, value=value, allowed=allowed)


def _check_epochs(spec: SweepSpec, problems: Problems) -> None:
    """Refuse every matching but marginal where loaded weights do not state their epochs."""
    if spec.workload.dense.epochs is not None:
        return
    way = "checkpoint" if spec.workload.dense.checkpoint else "weights"
    for matching in spec.training.match:
        if needs_dense_epochs(matching):
            message = "the loaded dense network does not state its epochs"
            allowed = f"marginal, or its epochs at workload.dense.{way}.epochs"
            problems.add(("training", "match"), message, value=matching, allowed=allowed)


def _why_not(spec: SweepSpec, parts: Parts, arm: BoundArm) -> Iterator[tuple[str, str]]:
    """Why an arm cannot take part in its own matchings, each with what is allowed."""
    own, everywhere = arm.spec.match, ", ".join(spec.training.match)
    if own is not None and arm.method.inherits:
        yield "this arm inherits weights, so it takes part in every matching", "null"
    elif own is not None and not set(own) <= set(spec.training.match):
        yield "names a matching that training.match does not", everywhere
    elif (source := parts.arms.get(arm.source or "")) and not source.method.inherits:
        lent = spec.matchings(source.name)
        if not set(spec.matchings(arm.name)) <= set(lent):
            message = f"takes its architectures from {source.name}, which has fewer matchings"
            yield message, ", ".join(lent)
