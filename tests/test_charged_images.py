"""Charged images are those that a training computes, counted here where they leave the split."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from prunetune.agenda import Agenda, Deal, Finished, Trials, counts, due
from prunetune.data.resident import ResidentSplit
from prunetune.records.record import training_macs
from prunetune.records.record_builder import RecordBuilder
from prunetune.records.store import Store
from prunetune.sweep import plan_sweep
from prunetune.trial import run_trial

SWEEP = """
name: charged
workload:
  model: resnet14
  dataset: {digits: {train_limit: 150}}
  dense: {train: {epochs: 2, recipe: {batch_size: 64}}}
budgets: [0.5]
arms:
  thin: {method: width_scaling}
  pruned:
    method:
      channel_pruning:
        recalibrate: 0
        sparsify: {regularizer: growing_reg, recipe: {batch_size: 40}}
recipe: {batch_size: 50}
training: {finetune_epochs: 1, sparsify_epochs: 1, match: marginal}
search: {trials: 0}
confirm: {seeds: 1}
"""


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Images of every training batch, in the order in which they are computed."""
    batches: list[int] = []
    epoch = ResidentSplit.epoch

    def counting(split: ResidentSplit, *arguments: object) -> Iterator:
        for x, y in epoch(split, *arguments):  # type: ignore[arg-type]
            batches.append(len(x))
            yield x, y

    monkeypatch.setattr(ResidentSplit, "epoch", counting)
    return batches


def test_every_field_of_the_ledger_counts_the_images_of_the_loop(
    tmp_path: Path, counted: list[int]
) -> None:
    """150 images: 128 in batches of 64, 120 in batches of 40, 150 in batches of 50."""
    (tmp_path / "sweep.yaml").write_text(SWEEP)
    plan = plan_sweep(tmp_path / "sweep.yaml")
    store, trials = Store(tmp_path, plan.sweep), Trials()
    images: dict[str, int] = {}
    while not isinstance(action := due(Agenda(plan, trials)), Finished):
        assert isinstance(action, Deal)
        counted.clear()
        trials.deal(action.spec)
        trials.begin(action.spec.key)
        store.write_trial(action.spec)
        builder = RecordBuilder(action.spec)
        for report in run_trial(action.spec, store, device="cpu"):
            builder.add(report)
        images[action.spec.key] = sum(counted)
        trials.end(builder.record())
    by_arm = {record.arm: record for record in trials.records.values()}
    dense, thin, pruned = by_arm[None], by_arm["thin"], by_arm["pruned"]
    assert images == {dense.key: 2 * 128, thin.key: 3 * 150, pruned.key: 120 + 150}
    assert thin.macs is not None
    assert pruned.macs is not None
    assert dense.train_macs.train == training_macs(plan.dense.macs, images[dense.key])
    assert thin.train_macs.train == training_macs(thin.macs, images[thin.key])
    assert pruned.train_macs.train == training_macs(pruned.macs, 150)
    sparsifying = training_macs(plan.dense.macs, 120)
    assert pruned.train_macs.inherited == dense.train_macs.total + sparsifying
    validated = plan.val_size * (plan.dense.macs + 2 * pruned.macs)
    tested = plan.test_size * pruned.macs
    assert pruned.train_macs.spent == (
        sparsifying + pruned.train_macs.train + pruned.train_macs.score + validated + tested
    )
    amounts = counts(plan)
    assert amounts.dense.train_macs == dense.train_macs.train
    forecast = {name: amount.train_macs for name, amount in amounts.studies.items()}
    target = training_macs(plan.study("pruned@0.5").target_macs, 150)
    assert forecast["pruned@0.5"] == sparsifying + target
    assert forecast["thin@0.5 marginal"] == 3 * target
