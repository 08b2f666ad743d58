"""Arms that do not meet every budget, or meet it with what another arm found elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from prunetune.spec.errors import SpecError
from prunetune.spec.plan import Plan
from prunetune.sweep import plan_sweep

HEAD = """
name: small
workload: {model: resnet14, dataset: digits, dense: {train: {epochs: 4}}}
"""
TAIL = """
training: {finetune_epochs: 2, match: [scratch_b, scratch_e]}
search: {replicates: 2}
"""
THIN, PRUNED = (
    "thin: {method: width_scaling}",
    "pruned: {method: {channel_pruning: {scope: local}}}",
)
CONTROL = "control: {method: dense}"


def bound(folder: Path, *arms: str, budgets: str = "[0.5, 0.25]", more: str = "") -> Plan:
    lines = "".join(f"  {arm}\n" for arm in arms)
    path = folder / "sweep.yaml"
    path.write_text(f"{HEAD}budgets: {budgets}\narms:\n{lines}{more}{TAIL}")
    return plan_sweep(path)


def refused(folder: Path, *arms: str, **other: str) -> list[str]:
    with pytest.raises(SpecError) as error:
        bound(folder, *arms, **other)
    assert all(problem.line for problem in error.value.problems)
    return [str(problem) for problem in error.value.problems]


def test_a_control_has_one_study_a_replicate_whatever_the_budgets(tmp_path: Path):
    plan = bound(tmp_path, THIN, PRUNED, CONTROL)
    found = [study for study in plan.studies if study.arm == "control"]
    assert [study.id for study in found] == ["control@dense", "control@dense r2"]
    for study in found:
        assert (study.budget, study.matching, study.inherits) == (None, None, True)
        assert (study.target_macs, study.epochs) == (plan.dense.macs, 2)
    assert not any("control" in (pair.a, pair.b) for pair in plan.family)
    assert plan.family == bound(tmp_path, THIN, PRUNED).family


def test_a_control_alone_leaves_the_budgets_to_nobody(tmp_path: Path):
    told = refused(tmp_path, CONTROL)
    assert len(told) == 2
    assert all("budgets[" in line and "no arm can meet this budget" in line for line in told)


def test_what_differs_by_budget_must_be_one_value_where_there_is_none(tmp_path: Path):
    shared = "recipe: {weight_decay: {by_budget: {0.5: 0.001, 0.25: 0.002}}}"
    (told,) = refused(tmp_path, THIN, CONTROL, more=shared)
    assert "recipe.weight_decay" in told
    assert "the arm's own recipe" in told
    own = "control: {method: dense, recipe: {weight_decay: 0.001}}"
    assert len(bound(tmp_path, THIN, own, more=shared).studies) == 2 * (4 + 1)


def test_a_control_lends_no_architecture(tmp_path: Path):
    (told,) = refused(tmp_path, PRUNED, CONTROL, "again: {method: {reinit: {from: control}}}")
    assert "arms.again.method.reinit.from" in told
    assert "allowed: pruned" in told


def test_a_sparsity_budget_that_no_arm_can_meet_is_refused(tmp_path: Path):
    (told,) = refused(tmp_path, THIN, budgets="[0.5, {sparsity: 0.9}]")
    assert "budgets[1]" in told
    assert "masks single weights" in told


COPYCAT = "copycat: {method: {copycat: {from: pruned, at: 2x}}}"


def test_a_copycat_stands_on_its_source_at_one_budget(tmp_path: Path):
    plan = bound(tmp_path, THIN, PRUNED, COPYCAT)
    found = [study for study in plan.studies if study.arm == "copycat"]
    assert len(found) == 2 * 2 * 2
    for study in found:
        source = plan.study(study.source or "")
        assert (source.arm, source.budget) == ("pruned", 0.5)
        assert source.replicate == study.replicate
        assert [reach.within for reach in study.reach] == [True]
        assert study.epochs == plan.study(study.id.replace("copycat", "thin")).epochs


@pytest.mark.parametrize(
    ("wrong", "place"),
    [("{from: pruned, at: 0.3}", "copycat.at"), ("{from: pruned}", "copycat.at"),
     ("{from: pruned, at: {choice: [0.5, 0.25]}}", "copycat.at"),
     ("{from: none, at: 0.5}", "copycat.from"),
     ("{from: pruned, at: {sparsity: 0.5}}", "copycat.at")],
)  # fmt: skip
def test_a_copycats_source_must_be_there(tmp_path: Path, wrong: str, place: str):
    told = refused(tmp_path, PRUNED, f"copycat: {{method: {{copycat: {wrong}}}}}")
    assert any(place in line for line in told)
