"""Early stopping: asynchronous successive halving as a rule over curves (Li et al., 1810.05934).

A trial is judged once, against the trials of its study that have trained as long. There is one
rung, after two thirds of the epochs. A schedule that falls over the whole training shows little
before that: after a third, the runs of one recipe differ by 3 to 10 points between seeds, and by
less than 1 at the end, so an earlier rung would judge luck and drop high rates and long schedules.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction

from prunetune.config.search import Asha
from prunetune.records.record import TrialSpec
from prunetune.records.trial_outcome import EndedTrial

Curve = Sequence[float]
"""Validation accuracy after each epoch."""
RUNG = Fraction(2, 3)
"""The share of its epochs after which a trial is judged."""


def rung(epochs: int) -> int | None:
    """The epoch after which a trial of `epochs` is judged; None if a stop would save nothing."""
    at = math.ceil(epochs * RUNG)
    return at if 0 < at < epochs else None


def stop_at(
    spec: TrialSpec, known: int, curve: Curve, others: Iterable[Curve], asha: Asha | None
) -> int | None:
    """The rung at which a trial is stopped if the last report brings it there, else None.

    Args:
        spec: the trial; only trials of the search are judged.
        known: the number of its epochs known before the last report.
        curve: all its epochs, those of the last report included.
        others: the curves so far of its competitors (`rivals`).
        asha: the rule; None if trials are never stopped.

    Only the report that brings a trial to its rung is judged. A resumed trial that is already past
    its rung has passed. A trial that runs on in any case (`run_on`) is judged again after a
    restart, since the judgement is only noted.
    """
    if asha is None or spec.phase != "search":
        return None
    at = rung(spec.epochs)
    if at is None or not known < at <= len(curve) or (len(curve) > at and not spec.run_on):
        return None
    own = curve[at - 1]
    reached = [other[at - 1] for other in others if len(other) >= at]
    return None if continues(own, reached, asha.reduction) else at


def continues(own: float, others: Sequence[float], reduction: int) -> bool:
    """Whether `own` is in the top 1/`reduction` of all values at a rung, `own` included.

    With fewer than `reduction` values every trial continues. Equal values share the better rank.
    """
    count = len(others) + 1
    better = sum(other > own for other in others)
    return count < reduction or better < count // reduction


def rivals(
    spec: TrialSpec,
    dealt: Mapping[str, TrialSpec],
    ended: Mapping[str, EndedTrial],
    running: Iterable[tuple[str, Curve]],
) -> Iterator[Curve]:
    """The curves of the other search trials of a study with as many epochs and the same source.

    Args:
        spec: the trial.
        dealt: the trials that have not ended, by key.
        ended: those that have.
        running: the keys of running trials, each with its curve so far.
    """
    for trial in ended.values():
        if trial.key != spec.key and _contest(trial) == _contest(spec):
            yield trial.accuracies
    for key, curve in running:
        if key not in ended and key != spec.key and _contest(dealt[key]) == _contest(spec):
            yield curve


def _contest(trial: TrialSpec | EndedTrial) -> tuple[str | None, str, str | None, int]:
    epochs = trial.epochs if isinstance(trial, TrialSpec) else trial.epochs_planned
    return trial.study, trial.phase, trial.inputs.get("architecture"), epochs
