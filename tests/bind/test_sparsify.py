"""Arms that sparsify: the epochs of their trials, the costs in the plan, and unchanged keys."""

from __future__ import annotations

from pathlib import Path

import pytest

from prunetune.agenda import Ask, counts, dense_spec, search_spec
from prunetune.agenda.specs import study_key
from prunetune.config.matching import mac_ratio, pruned_epochs, scratch_epochs
from prunetune.config.problems.errors import SpecError
from prunetune.config.space.space import Config, any_value
from prunetune.plan import Plan
from prunetune.records.record import Record, training_macs
from prunetune.sweep import plan_sweep
from tests.agenda.simulated import ended

KS, K2 = 3, 2
SWEEP = """
name: sparsifying
workload: {model: resnet14, dataset: digits, dense: {train: {epochs: 4}}}
budgets: [0.5, 0.25]
arms:
  thin: {method: width_scaling}
  plain: {method: channel_pruning}
  always:
    method:
      channel_pruning:
        sparsify:
          regularizer:
            choice: {group_lasso: {strength: {float: [1e-5, 1e-2], log: true}}, bn_scale: {}}
          recipe: {weight_decay: 0}
  maybe:
    method: {channel_pruning: {sparsify: {regularizer: {choice: [null, growing_reg]}}}}
training: {finetune_epochs: 2, sparsify_epochs: 3}
search: {trials: 4}
"""


def computed(plan: Plan) -> int:
    """Images of an epoch in whole batches."""
    return plan.train_size // 128 * 128


def planned(folder: Path, text: str) -> Plan:
    path = folder / "sweep.yaml"
    path.write_text(text)
    return plan_sweep(path)


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    return planned(tmp_path_factory.mktemp("sparse"), SWEEP)


def config_of(plan: Plan, study: str, **chosen: object) -> Config:
    values = {f"method.sparsify.{name}": value for name, value in chosen.items()}
    return plan.study(study).space.draw(lambda d: values.get(d.path, any_value(d.domain)))


def test_epochs_follow_from_whether_an_arm_sparsifies(plan: Plan):
    for study in plan.studies:
        ratio = mac_ratio(plan.dense.macs, study.target_macs)
        longer = pruned_epochs(ratio, finetune=K2, sparsify=KS, sparsifies=False)
        if study.arm == "thin":
            scratch = scratch_epochs("scratch_b", ratio, dense=4, finetune=K2, sparsify=KS)
            assert (study.epochs, study.sparsifying) == (scratch, None)
        elif study.arm == "plain":
            assert (study.epochs, study.sparsifying) == (longer, None)
        else:
            assert study.sparsifying is not None
            assert (study.sparsifying.epochs, study.sparsifying.then) == (KS, K2)
            assert study.epochs == (longer if study.arm == "maybe" else K2)


def test_a_trial_is_dealt_the_epochs_of_its_configuration(plan: Plan):
    study = plan.study("maybe@0.5")
    specs = {
        name: search_spec(plan, Ask(study, 0, 0), config_of(plan, study.id, regularizer=name), {})
        for name in ("growing_reg", None)
    }
    sparse, plain = specs["growing_reg"], specs[None]
    assert (sparse.epochs, sparse.sparsify_epochs) == (K2, KS)
    assert sparse.inherited_macs == training_macs(plan.dense.macs, computed(plan), KS)
    assert (plain.epochs, plain.sparsify_epochs) == (study.epochs, 0)
    assert plain.inherited_macs == 0
    assert sparse.key != plain.key
    trained = ended(dense_spec(plan, 0, 0))
    heir = Ask(study, 0, 0, {"dense": trained.key})
    config = config_of(plan, study.id, regularizer="growing_reg")
    spec = search_spec(plan, heir, config, {trained.key: trained})
    assert trained.train_macs.total > 0
    assert spec.inherited_macs == sparse.inherited_macs + trained.train_macs.total
    own = plan.study("plain@0.5")
    assert search_spec(plan, Ask(own, 0, 0), config_of(plan, own.id), {}).epochs == plain.epochs


def test_the_plan_counts_sparsifying_at_dense_macs_for_every_trial_that_may(plan: Plan):
    amounts = counts(plan).studies
    for arm in ("always", "maybe"):
        amount = amounts[f"{arm}@0.25"]
        trials = amount.total
        target = plan.study(f"{arm}@0.25").target_macs
        assert (amount.epochs, amount.sparsify_epochs) == (K2 * trials, KS * trials)
        assert amount.train_macs == trials * (
            training_macs(plan.dense.macs, computed(plan), KS)
            + training_macs(target, computed(plan), K2)
        )
        assert amount.train_macs >= amounts["plain@0.25"].train_macs  # by less than an epoch each
        assert counts(plan).total.sparsify_epochs == 4 * KS * trials
    assert amounts["plain@0.25"].sparsify_epochs == 0
    assert amounts["thin@0.25 scratch_b"].sparsify_epochs == 0


def test_sparse_epochs_without_an_arm_that_sparsifies_are_legal(plan: Plan, tmp_path: Path):
    head, _, tail = SWEEP.partition("  always:")
    alone = planned(tmp_path, head + "training:" + tail.partition("training:")[2])
    assert alone.study("plain@0.5").epochs == plan.study("plain@0.5").epochs


def test_sparsifying_for_no_epochs_is_refused(tmp_path: Path):
    with pytest.raises(SpecError) as refused:
        planned(tmp_path, SWEEP.replace("sparsify_epochs: 3", "sparsify_epochs: 0"))
    lines = [line for line in str(refused.value).splitlines() if "for no epochs" in line]
    assert len(lines) == 2
    assert "arms.always.method.channel_pruning.sparsify" in lines[0]
    assert "training.sparsify_epochs of at least 1" in lines[0]


def test_a_key_of_a_finished_sweep_changes_by_its_version_alone():
    """For a record's own config and for the config that today's space draws in its place."""
    folder = Path("experiments/2026-11-20-quickstart")
    plan = plan_sweep(folder / "sweep.yaml")
    found = [
        Record.model_validate_json(p.read_bytes()) for p in (folder / "records").glob("*.json")
    ]
    known = {study.id for study in plan.studies}
    checked = 0
    for record in found:
        if record.study not in known or record.number is None:
            continue
        study = plan.study(record.study)
        drawn = study.space.draw(lambda d, own=record.config: own[d.path])
        for config in (record.config, drawn):
            key = study_key(
                plan, study, record.phase, record.number, record.seed, config, record.inputs,
                version=1,
            )  # fmt: skip
            assert key == record.key
        checked += 1
    assert checked > 10


def test_an_unknown_regularizer_is_reported_beside_other_problems(tmp_path: Path):
    text = SWEEP.replace("group_lasso", "group_laso").replace("width_scaling", "width_scalin")
    with pytest.raises(SpecError) as refused:
        planned(tmp_path, text)
    messages = [str(problem) for problem in refused.value.problems]
    assert any(
        "did you mean 'group_lasso'" in line and line.startswith("line") for line in messages
    )
    assert any("did you mean 'width_scaling'" in line for line in messages)
