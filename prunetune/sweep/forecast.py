"""What a sweep would cost and could detect: trials, epochs, training MACs, time, difference."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from prunetune.agenda import Amount, counts
from prunetune.analysis.verdicts.prospect_sentences import prospect_sentences
from prunetune.analysis.verdicts.prospects import Prospect, prospects
from prunetune.config.budget import RecordedBudget
from prunetune.config.parts import Params
from prunetune.plan import Comparison, Plan, Reach, Study
from prunetune.records.files import CorruptFileError
from prunetune.records.record import Record
from prunetune.records.store import Store, sweep_names
from prunetune.sweep.clock import Clock, recorded_clock
from prunetune.sweep.cure import cure_of
from prunetune.sweep.plan_file import load_plan
from prunetune.sweep.protocol_notes import protocol_notes
from prunetune.sweep.rough_time import RoughTime, rough_times
from prunetune.sweep.workload_facts import WorkloadFacts, workload_facts

_log = logging.getLogger(__name__)


class StudyForecast(Params):
    """The cost of one study, or of the dense networks (`dense`), if no trial is stopped early."""

    study: str
    arm: str | None = None
    budget: RecordedBudget = None
    target_macs: int
    trials: Mapping[str, int]
    """Phase -> number of trials."""
    epochs_each: int
    epochs: int
    sparsify_epochs: int = 0
    """Of all trials together, at dense MACs, if no two trials share a sparsified network."""
    train_macs: int
    seconds: float | None
    """If trials run one at a time; None if nothing was measured."""
    infeasible: str | None = None
    cure: str | None = None
    """What to do about a study that cannot run."""
    reach: tuple[Reach, ...] = ()


class Forecast(WorkloadFacts):
    """The facts that `prunetune plan` prints."""

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
    """If trials run one at a time: divide by the number that run at once."""
    timed_by: str | None
    """The source of the time: finished trials on a device, or steps measured now."""
    rough: tuple[RoughTime, ...] = ()
    """Where nothing was measured: the time by class of device, within a factor of about three."""
    family: tuple[Comparison, ...]
    """The comparisons that can take place."""
    impossible: tuple[Comparison, ...] = ()
    """Those of the plan that cannot, because an arm does not reach the budget. They count in the
    correction of the others."""
    detectable: float | None
    """The smallest difference of two arms at one budget that is found with a probability of 80 %;
    None where nothing can be decided."""
    prospects: tuple[Prospect, ...]
    """What each kind of comparison can show, by the tests that will judge it."""
    power: tuple[str, ...]
    """The same in sentences."""
    hash: str
    """The hash of the plan."""
    notes: tuple[str, ...] = ()
    """What the settings lead to: looks, random trials, early stopping, seen validation images."""


def forecast(plan: Plan, storage: str | Path, *, timed: bool = False) -> Forecast:
    """Count the work of `plan`; `timed` measures 20 training steps of each network here.

    Raises:
        CorruptDataError: one of the images whose size is read cannot be opened.
    """
    workload = workload_facts(plan)
    clock = _measured(plan) if timed else recorded_clock(plan, _sweeps(storage))
    amounts = counts(plan)
    rows = [_dense_row(plan, amounts.dense, clock)]
    rows += [_row(plan, s, amounts.studies[s.id], clock) for s in plan.studies]
    times = [row.seconds for row in rows]
    whole = amounts.total
    known = prospects(plan)
    at_budget = [each for each in known if each.test in ("budget", "looks")]
    return Forecast(
        sweep=plan.sweep,
        question=plan.question,
        model=plan.dense.network,
        dense_macs=plan.dense.macs,
        dense_params=plan.dense.params,
        dataset=workload.dataset,
        data=workload.data,
        uncounted=workload.uncounted,
        left_alone=workload.left_alone,
        rows=tuple(rows),
        trials=whole.total,
        epochs=whole.epochs,
        train_macs=whole.train_macs,
        seconds=None if None in times else sum(t for t in times if t is not None),
        timed_by=clock.source if clock else None,
        rough=() if clock else rough_times(plan),
        family=tuple(each for each in plan.family if _can_take_place(plan, each)),
        impossible=tuple(each for each in plan.family if not _can_take_place(plan, each)),
        detectable=at_budget[0].detectable if at_budget else None,
        prospects=known,
        power=tuple(prospect_sentences(plan, known)),
        hash=plan.fingerprint,
        notes=protocol_notes(plan),
    )


def _can_take_place(plan: Plan, comparison: Comparison) -> bool:
    """Whether both arms have a study that runs at the budget and under the matching."""

    def runs(arm: str) -> bool:
        return any(
            study.arm == arm
            and study.budget == comparison.budget
            and study.matching in (comparison.matching, None)
            for study in plan.studies
            if plan.infeasible(study.id) is None
        )

    return runs(comparison.a) and runs(comparison.b)


def _measured(plan: Plan) -> Clock:
    from prunetune.sweep.timing import measured_clock  # imports all of training

    return measured_clock(plan)


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
        cure=cure_of(plan, study),
        reach=study.reach,
    )


def _seconds(plan: Plan, study: Study, amount: Amount, clock: Clock) -> float:
    """Seconds of all trials of a study, sparsifying included."""
    sparsify = clock.epoch(plan.dense.macs) * amount.sparsify_epochs
    return sparsify + clock.epoch(plan.computed_macs(study)) * amount.epochs


def _sweeps(storage: str | Path) -> Iterator[tuple[Plan, Iterable[Record]]]:
    """Plan and finished records of every sweep in the storage."""
    for name in sweep_names(storage):
        store = Store(storage, name)
        try:
            plan, records = load_plan(store), store.records()
        except CorruptFileError as error:
            _log.warning("sweep %s is not asked how long an epoch takes: %s", name, error)
        else:
            yield plan, records.values()
