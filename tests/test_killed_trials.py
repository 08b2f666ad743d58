"""The ledger of a real sweep whose trials are killed: every MAC that was computed counts once."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from prunetune.agenda import Agenda, Ask, Deal, Trials, due, search_spec
from prunetune.analysis.report import analyse
from prunetune.config.space.space import any_value
from prunetune.plan import Plan
from prunetune.records.cost_meter import CostMeter
from prunetune.records.record import Record, TrialSpec
from prunetune.records.record_builder import RecordBuilder
from prunetune.records.store import Store
from prunetune.sweep import plan_sweep
from prunetune.trial import run_trial

TINY = Path(__file__).parent / "e2e" / "tiny.yaml"
REPORTS = 2
"""Reports after which every trial is killed for the first time: one epoch of training is lost."""


def run_killed(spec: TrialSpec, store: Store) -> Record:
    """The record of a trial that is killed once and then run to its end."""
    store.write_trial(spec)
    for _ in islice(run_trial(spec, store, device="cpu"), REPORTS):
        pass
    builder = RecordBuilder(spec)
    for report in run_trial(spec, store, device="cpu"):
        builder.add(report)
    return builder.record()


def run_sweep_by_hand(plan: Plan, store: Store) -> Trials:
    """Every trial of the plan, one after the other."""
    trials = Trials()
    agenda = Agenda(plan, trials)
    while isinstance(step := due(agenda), Ask | Deal):
        if isinstance(step, Ask):
            config = step.study.space.draw(lambda dimension: any_value(dimension.domain))
            step = Deal(search_spec(plan, step, config, trials.records))
        trials.deal(step.spec)
        trials.begin(step.spec.key)
        record = run_killed(step.spec, store)
        store.write_record(record)
        trials.end(record)
    return trials


@pytest.mark.slow
def test_every_mac_of_killed_trials_is_spent_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    computed: list[int] = []
    spend = CostMeter.spend

    def counted(self: CostMeter, macs: int, *epoch: Any) -> None:
        if self._charged_to is None:  # else the other meter counts them
            computed.append(macs)
        spend(self, macs, *epoch)

    monkeypatch.setattr(CostMeter, "spend", counted)
    plan = plan_sweep(TINY)
    store = Store(tmp_path, plan.sweep)
    records = run_sweep_by_hand(plan, store).records
    ledger = analyse(plan, records, store=store).ledger
    assert {r.phase for r in records.values()} == {"dense", "search", "confirm"}
    assert ledger.spent_macs == sum(computed)
    by_study = sum(point.spent_macs for point in ledger.points)
    assert by_study + ledger.by_phase["dense"] == sum(computed)
    lost = [r for r in records.values() if r.train_macs.spent > whole_trial(plan, r)]
    assert lost, "no trial was charged for what it lost"
    assert sum(ledger.by_arm.values()) == sum(computed)


def whole_trial(plan: Plan, record: Record) -> int:
    """MACs of the trial if nothing is lost: training, scoring, and all evaluations."""
    macs = record.macs or 0
    epochs_validated = record.epochs + (record.val_acc1_before_training is not None)
    tested = 1 + (record.test_acc1_best != record.test_acc1) if record.test_acc1 is not None else 0
    own = record.train_macs.total - record.train_macs.inherited
    return own + macs * (epochs_validated * plan.val_size + tested * plan.test_size)
