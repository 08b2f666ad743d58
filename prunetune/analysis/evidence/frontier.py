"""The frontier: one row per study, from its search to its confirmed accuracy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from statistics import median

from prunetune.analysis.evidence.confirmed import ConfirmedStudy, grain
from prunetune.analysis.evidence.point_costs import spent_by
from prunetune.config.budget import RecordedBudget
from prunetune.plan import Plan
from prunetune.records.record import Frozen, Record
from prunetune.statistics.intervals import Estimate, mean_interval


class DenseResult(Estimate):
    """The test accuracy of the dense networks that were trained, or of the one that was loaded."""

    model: str
    macs: int
    params: int
    source: str
    epochs: int | None


class FrontierRow(Frozen):
    """One study. Accuracies in [0, 1]; `low` and `high` are the ends of a 95 % t interval."""

    study: str
    arm: str
    method: str
    budget: RecordedBudget
    matching: str | None
    replicate: int
    target_macs: int
    macs: float | None = None
    params: float | None = None
    dense_acc1: float | None = None
    delta_acc1: float | None = None
    test_acc1: float | None = None
    low: float | None = None
    high: float | None = None
    n: int = 0
    test_acc1_median: float | None = None
    test_acc1_best: float | None = None
    """Mean over the confirm seeds of the accuracy after the epoch that is best on validation."""
    val_acc1: float | None = None
    """Of the winner, in the search. It is a maximum over trials, so it is biased upwards."""
    winner: str | None = None
    """Key of the winning search trial; where nothing is searched, of the first confirm trial."""
    winner_number: int | None = None
    trials_planned: int = 0
    trials_ended: int = 0
    completed: int = 0
    stopped: int = 0
    diverged: int = 0
    failed: int = 0
    infeasible: int = 0
    confirm_planned: int = 0
    confirm_lost: int = 0
    confirm_pending: int = 0
    epochs: int = 0
    train_macs: float | None = None
    """Mean MACs of training one such network, inherited training included."""
    spent_macs: int = 0
    """MACs that all trials of the study computed."""
    state: str = ""
    reason: str | None = None
    masked: bool = False
    """Whether the networks keep the dense shape; MACs and parameters count the nonzero weights."""


def dense_result(plan: Plan, records: Iterable[Record]) -> DenseResult:
    """The dense network's facts and its test accuracy."""
    ended = sorted((r for r in records if r.phase == "dense"), key=lambda r: r.seed)
    values = [r.test_acc1 for r in ended if r.test_acc1 is not None]
    return DenseResult(
        **mean_interval(values, grain(plan)).model_dump(),
        model=str(plan.dense.architecture.get("model", "")),
        macs=plan.dense.macs,
        params=plan.dense.params,
        source=plan.dense.source,
        epochs=plan.dense.epochs,
    )


def frontier_rows(
    plan: Plan,
    records: Iterable[Record],
    confirmed: Mapping[str, ConfirmedStudy],
    dense: DenseResult,
) -> tuple[FrontierRow, ...]:
    """One row for every study, in the order of the plan."""
    by_study: dict[str | None, list[Record]] = {}
    for record in records:
        by_study.setdefault(record.study, []).append(record)
    return tuple(
        _row(plan, confirmed[study.id], by_study.get(study.id, []), dense.mean)
        for study in plan.studies
    )


_STUDY_FIELDS = {
    "arm", "method", "budget", "matching", "replicate", "target_macs", "epochs", "masked",
}  # fmt: skip


def _row(
    plan: Plan, confirmed: ConfirmedStudy, records: list[Record], dense: float | None
) -> FrontierRow:
    study, outcome, winner = confirmed.study, confirmed.outcome, confirmed.outcome.winner
    example = winner or next(iter(outcome.confirmed), None)
    values = list(confirmed.values.values())
    estimate = mean_interval(values, grain(plan))
    statuses = Counter(r.status for r in outcome.search)
    best = [r.test_acc1_best for r in outcome.confirms if r.test_acc1_best is not None]
    comparable = estimate.mean is not None and dense is not None
    state, reason = _state(confirmed)
    return FrontierRow(
        study=study.id,
        **study.model_dump(include=_STUDY_FIELDS),
        macs=confirmed.macs,
        params=confirmed.params,
        dense_acc1=dense,
        delta_acc1=(estimate.mean or 0.0) - (dense or 0.0) if comparable else None,
        test_acc1=estimate.mean,
        low=estimate.low,
        high=estimate.high,
        n=estimate.n,
        test_acc1_median=median(values) if values else None,
        test_acc1_best=sum(best) / len(best) if best else None,
        val_acc1=winner.val_acc1 if winner else None,
        winner=example.key if example else None,
        winner_number=outcome.pick.number if outcome.pick else None,
        trials_planned=study.trials,
        trials_ended=len(outcome.search),
        **{str(status): number for status, number in statuses.items()},
        confirm_planned=_seeds_planned(plan, confirmed),
        confirm_lost=sum(loss.status != "collapsed" for loss in confirmed.lost),
        confirm_pending=len(confirmed.pending),
        train_macs=confirmed.train_macs,
        spent_macs=spent_by(records),
        state=state,
        reason=reason,
    )


def _seeds_planned(plan: Plan, confirmed: ConfirmedStudy) -> int:
    """Confirm seeds of the study; with planned looks, those that are due so far."""
    if plan.confirm.looks is None:
        return plan.confirm.seeds
    closed = sum(loss.status == "closed" for loss in confirmed.lost)
    return len(confirmed.outcome.confirms) + closed + len(confirmed.pending)


def _state(confirmed: ConfirmedStudy) -> tuple[str, str | None]:
    """The progress of a study in a word, and the reason where it goes no further."""
    study, outcome, lost = confirmed.study, confirmed.outcome, confirmed.lost
    if study.infeasible:
        return "infeasible", study.infeasible
    if lost and not confirmed.pending and not outcome.search and not outcome.confirms:
        return "closed", lost[0].error
    if not outcome.search and not outcome.confirms and (study.trials or confirmed.pending):
        return "not begun", None
    if len(outcome.search) < study.trials:
        return "searching", None
    if outcome.pick is None:
        errors = Counter(r.error or r.status for r in outcome.search)
        return "no winner", errors.most_common(1)[0][0]
    if confirmed.pending:
        return "confirming", None
    return ("confirmed", None) if confirmed.values else ("not confirmed", lost[0].error)
