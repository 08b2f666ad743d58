"""Early stopping: asynchronous successive halving as a rule over curves (Li et al., 1810.05934).

A trial is judged once, against the trials of its study that have come as far. There is one rung, at
a third of the epochs or later: the reciprocal of the reduction, but never so early that a recipe
with a high rate or a long schedule is dropped before it can show.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from prunetune.config.search import Asha
from prunetune.records.record import Epoch, Record, TrialSpec

Curve = Sequence[Epoch]
EARLIEST = 3
"""No rung lies before one part in this many of a trial's epochs."""


def rung(epochs: int, asha: Asha) -> int | None:
    """The epoch after which a trial of `epochs` is judged; None if nothing would be saved."""
    at = -(-epochs // min(asha.reduction, EARLIEST))
    return at if 0 < at < epochs else None


def stop_at(
    spec: TrialSpec, known: int, curve: Curve, others: Iterable[Curve], asha: Asha | None
) -> int | None:
    """The rung at which a trial is dropped, if the last report brings it there.

    Args:
        spec: the trial; only trials of the search are judged.
        known: how many epochs of it were known before the last report.
        curve: all its epochs, the last report's included.
        others: what is known of the other trials that it competes with (`rivals`).
        asha: the rule; None if trials are never stopped.

    Only the report that brings a trial to its rung is judged. A trial that returns from a restart
    already beyond it has passed; one that runs on is judged anew then, since nothing is stopped.
    """
    if asha is None or spec.phase != "search":
        return None
    at = rung(spec.epochs, asha)
    if at is None or not known < at <= len(curve) or (len(curve) > at and not spec.run_on):
        return None
    own = curve[at - 1].val_acc1
    reached = [other[at - 1].val_acc1 for other in others if len(other) >= at]
    return None if continues(own, reached, asha.reduction) else at


def continues(own: float, others: Sequence[float], reduction: int) -> bool:
    """Whether `own` is within the top 1/`reduction` of all values at a rung, itself included.

    While fewer than `reduction` are known nobody is dropped; equal values share the better rank.
    """
    count = len(others) + 1
    better = sum(other > own for other in others)
    return count < reduction or better < count // reduction


def rivals(
    spec: TrialSpec,
    dealt: Mapping[str, TrialSpec],
    records: Mapping[str, Record],
    running: Mapping[str, Curve],
) -> Iterator[Curve]:
    """The curves of its study's other search trials of as many epochs, on the same architecture.

    `running` has the curves so far of live trials, by key.
    """
    for record in records.values():
        if record.key != spec.key and _field(record) == _field(spec):
            yield record.curve
    for key, curve in running.items():
        if key not in records and key != spec.key and _field(dealt[key]) == _field(spec):
            yield curve


def _field(trial: TrialSpec | Record) -> tuple[str | None, str, str | None, int]:
    epochs = trial.epochs if isinstance(trial, TrialSpec) else trial.epochs_planned
    return trial.study, trial.phase, trial.inputs.get("architecture"), epochs
