"""What a sweep would be: counts, training MACs, time where it is known, and what it can settle."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from prunetune.agenda import Amount, counts
from prunetune.analysis.power import detectable
from prunetune.config.budget import RecordedBudget
from prunetune.config.parts import Params
from prunetune.plan import Comparison, Plan, Reach, Study
from prunetune.records.record import Record
from prunetune.records.store import Store, sweep_names
from prunetune.sweep.clock import Clock, from_records
from prunetune.sweep.orchestrate import load_plan


class StudyForecast(Params):
    """What one study (or the dense networks, `dense`) would be when nothing is stopped."""

    study: str
    arm: str | None = None
    budget: RecordedBudget = None
    target_macs: int
    trials: Mapping[str, int]
    """By phase."""
    epochs_each: int
    epochs: int
    sparsify_epochs: int = 0
    """Of all trials, at dense MACs, when no two share a sparsified network."""
    train_macs: int
    seconds: float | None
    """Of one slot; None where nothing was measured."""
    infeasible: str | None = None
    reach: tuple[Reach, ...] = ()


class Forecast(Params):
    """What `prunetune plan` prints."""

    sweep: str
    question: str
    model: str
    dense_macs: int
    dense_params: int
    rows: tuple[StudyForecast, ...]
    trials: int
    epochs: int
    train_macs: int
    seconds: float | None
    """Of one slot: divide by the trials that run at once."""
    timed_by: str | None
    """Where the time comes from: a device's finished records, or steps measured now."""
    family: tuple[Comparison, ...]
    detectable: float | None
    """Difference of accuracy, at an assumed spread of 0.2 points between seeds (searches,
    where there are several)."""


def forecast(plan: Plan, storage: str | Path, *, timed: bool = False) -> Forecast:
    """Count what `plan` amounts to; `timed` measures 20 steps of each network here."""
    clock = _measured(plan) if timed else from_records(plan, _sweeps(storage))
    amounts = counts(plan)
    rows = [_dense_row(plan, amounts.dense, clock)]
    rows += [_row(plan, s, amounts.studies[s.id], clock) for s in plan.studies]
    times = [row.seconds for row in rows]
    whole = amounts.total
    return Forecast(
        sweep=plan.sweep,
        question=plan.question,
        model=str(plan.dense.architecture["model"]),
        dense_macs=plan.dense.macs,
        dense_params=plan.dense.params,
        rows=tuple(rows),
        trials=whole.total,
        epochs=whole.epochs,
        train_macs=whole.train_macs,
        seconds=None if None in times else sum(t for t in times if t is not None),
        timed_by=clock.source if clock else None,
        family=plan.family,
        detectable=detectable(plan.n_independent, max(1, len(plan.family))),
    )


def _measured(plan: Plan) -> Clock:
    from prunetune.sweep.timing import measured  # imports all of training

    return measured(plan)


def _dense_row(plan: Plan, amount: Amount, clock: Clock | None) -> StudyForecast:
    return StudyForecast(
        study="dense",
        target_macs=plan.dense.macs,
        trials=dict(amount.trials),
        epochs_each=plan.dense.epochs or 0,
        epochs=amount.epochs,
        train_macs=amount.train_macs,
        seconds=clock.epoch(plan.dense.macs) * amount.epochs if clock else None,
    )


def _row(plan: Plan, study: Study, amount: Amount, clock: Clock | None) -> StudyForecast:
    return StudyForecast(
        study=study.id,
        arm=study.arm,
        budget=study.budget,
        target_macs=study.target_macs,
        trials=dict(amount.trials),
        epochs_each=study.sparsifying.then if study.sparsifying else study.epochs,
        epochs=amount.epochs,
        sparsify_epochs=amount.sparsify_epochs,
        train_macs=amount.train_macs,
        seconds=_seconds(plan, study, amount, clock) if clock else None,
        infeasible=plan.infeasible(study.id),
        reach=study.reach,
    )


def _seconds(plan: Plan, study: Study, amount: Amount, clock: Clock) -> float:
    """Of all trials of a study, sparsifying included."""
    sparsify = clock.epoch(plan.dense.macs) * amount.sparsify_epochs
    return sparsify + clock.epoch(plan.computed_macs(study)) * amount.epochs


def _sweeps(storage: str | Path) -> Iterator[tuple[Plan, Iterable[Record]]]:
    """All sweeps under the storage, with their finished records."""
    for name in sweep_names(storage):
        store = Store(storage, name)
        yield load_plan(store), store.records().values()
