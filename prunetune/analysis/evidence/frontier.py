"""The frontier: one row a study, from how it was searched to what was confirmed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from statistics import median

from prunetune.analysis.evidence.confirmed import Confirmed, grain
from prunetune.analysis.evidence.ledger import macs
from prunetune.analysis.statistics import Estimate, mean_interval
from prunetune.plan import Plan, RecordedBudget
from prunetune.records.record import Frozen, Record


class DenseResult(Estimate):
    """The dense network: test accuracy over all that were trained (or the one that was loaded)."""

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
    """Mean, over the confirm seeds, after the epoch best on validation."""
    val_acc1: float | None = None
    """The winner's, in the search: a maximum over trials, so too high."""
    winner: str | None = None
    """Key of the winning search trial."""
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
    """Training MACs of one such network from nothing; mean over the confirm seeds."""
    spent_macs: int = 0
    """MACs that the whole study took."""
    state: str = ""
    reason: str | None = None
    masked: bool = False
    """Whether MACs and parameters count the weights that are not zero, in the dense shape."""


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


def frontier(
    plan: Plan,
    records: Iterable[Record],
    confirmed: Mapping[str, Confirmed],
    dense: DenseResult,
) -> tuple[FrontierRow, ...]:
    """One row for every study of the plan, in its order."""
    spent: dict[str | None, list[Record]] = {}
    for record in records:
        spent.setdefault(record.study, []).append(record)
    return tuple(
        _row(plan, confirmed[study.id], spent.get(study.id, []), dense.mean)
        for study in plan.studies
    )


def _row(plan: Plan, found: Confirmed, records: list[Record], dense: float | None) -> FrontierRow:
    study, best = found.study, found.answer.winner
    values = list(found.values.values())
    estimate = mean_interval(values, grain(plan))
    ends = Counter(r.status for r in found.answer.search)
    kept = [r.test_acc1_best for r in found.answer.confirms if r.test_acc1_best is not None]
    known = {name: getattr(study, name) for name in ("arm", "method", "budget", "matching")}
    known |= {name: getattr(study, name) for name in ("replicate", "target_macs", "epochs")}
    compared = estimate.mean is not None and dense is not None
    state, reason = _state(found)
    return FrontierRow(
        study=study.id,
        **known,
        macs=found.macs,
        params=found.params,
        dense_acc1=dense,
        delta_acc1=(estimate.mean or 0.0) - (dense or 0.0) if compared else None,
        test_acc1=estimate.mean,
        low=estimate.low,
        high=estimate.high,
        n=estimate.n,
        test_acc1_median=median(values) if values else None,
        test_acc1_best=sum(kept) / len(kept) if kept else None,
        val_acc1=best.val_acc1 if best else None,
        winner=best.key if best else None,
        winner_number=best.number if best else None,
        trials_planned=study.trials,
        trials_ended=len(found.answer.search),
        **{status: ends[status] for status in ends},
        confirm_planned=plan.confirm.seeds,
        confirm_lost=sum(loss.status != "collapsed" for loss in found.lost),
        confirm_pending=len(found.pending),
        train_macs=found.train_macs,
        spent_macs=macs(records),
        state=state,
        reason=reason,
        masked=study.masked,
    )


def _state(found: Confirmed) -> tuple[str, str | None]:
    """How far a study has come, in a word, and why it goes no further."""
    answer, study = found.answer, found.study
    if study.infeasible:
        return "infeasible", study.infeasible
    if found.lost and not found.pending and not answer.search:
        return "closed", found.lost[0].error
    if not answer.search:
        return "not begun", None
    if len(answer.search) < study.trials:
        return "searching", None
    if answer.winner is None:
        errors = Counter(r.error or r.status for r in answer.search)
        return "no winner", errors.most_common(1)[0][0]
    if found.pending:
        return "confirming", None
    return ("confirmed", None) if found.values else ("not confirmed", found.lost[0].error)
