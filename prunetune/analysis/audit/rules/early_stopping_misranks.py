"""Early stopping: does the accuracy at the rung order trials as their last epoch does?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

from prunetune.agenda.specs import run_on_numbers
from prunetune.analysis.audit.case import Case
from prunetune.analysis.audit.rule import Flaw, rule
from prunetune.plan import Study
from prunetune.records.record import Record

_LEAST_TAU, _LEAST_PAIRS = 0.5, 3


@rule(
    "search",
    "warning",
    reason="At a third of a one-cycle schedule the spread over seeds of one recipe was 2.8 to 9.6 "
    "points, against 0.7 to 1.0 at the end; the winners' own recipes would have been stopped in "
    "12 of 24 cases.",
)
def early_stopping_misranks(case: Case) -> Iterator[Flaw]:
    """Trials that ran on as a check, of which the rung's order is not that of the end."""
    pairs, better = [], []
    for study in case.plan.studies:
        checks = _checks(case, study)
        pairs += [_concordance(a, b) for a, b in combinations(checks, 2)]
        winner = case.outcome(study).winner
        best = winner.val_acc1 if winner and winner.val_acc1 is not None else 1.0
        better += [r for r, _ in checks if r.would_stop_at and (r.val_acc1 or 0.0) > best]
    tau = sum(pairs) / len(pairs) if pairs else 1.0
    if better:
        yield Flaw(
            "warning",
            f"Early stopping would have ended {len(better)} trials that were better at their end "
            "than the winner of their study.",
            _ADVICE,
            tuple(r.key for r in better),
        )
    if len(pairs) >= _LEAST_PAIRS and tau < _LEAST_TAU:
        yield Flaw(
            "warning",
            f"Among the trials that ran on, the order at the rung and the order at the end agree "
            f"with Kendall's tau {tau:.2f} ({len(pairs)} pairs; 1 is full agreement).",
            _ADVICE,
        )


_ADVICE = "Judge trials later, or switch early stopping off (search.early_stopping: null)."
_Check = tuple[Record, float]
"""A trial that ran on, and its accuracy at the rung."""


def _checks(case: Case, study: Study) -> Sequence[_Check]:
    """The completed trials of a study that early stopping could not stop, with a known rung."""
    search = case.outcome(study).search
    numbers = run_on_numbers(case.plan, study)
    rungs = [r.would_stop_at or (r.epochs if r.status == "stopped" else None) for r in search]
    rung = next((epoch for epoch in rungs if epoch), None)
    return [
        (r, r.curve[rung - 1].val_acc1)
        for r in search
        if rung and r.number in numbers and r.status == "completed" and len(r.curve) >= rung
    ]


def _concordance(a: _Check, b: _Check) -> int:
    """1 if two trials stand in the same order at the rung and at the end, -1 if not, 0 if level."""
    product = (a[1] - b[1]) * ((a[0].val_acc1 or 0.0) - (b[0].val_acc1 or 0.0))
    return (product > 0) - (product < 0)
