"""Arms that do not meet every budget, or meet it with what another arm found elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from prunetune.config.problems.errors import SpecError
from prunetune.plan import Plan
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


THIN_PLUS = (
    "thin_plus: {method: {width_scaling: {profile: {stage1: {float: [0.5, 2]}, "
    "stage3: {choice: [0.5, 1]}}}}}"
)


def test_a_searched_profile_is_an_architecture_search_for_thin(tmp_path: Path):
    plan = bound(tmp_path, THIN, THIN_PLUS)
    (study, *_) = (s for s in plan.studies if s.arm == "thin_plus")
    assert [r.within for r in study.reach] == [True]
    drawn = {"method.profile.stage1": 1.5, "method.profile.stage3": 0.5}
    config = study.space.draw(lambda d: drawn.get(d.path))
    assert {p: v for p, v in config.items() if p.startswith("method.profile.")} == {
        **{f"method.profile.stage{i}": 1.0 for i in range(1, 10)}, **drawn,
    }  # fmt: skip
    (plain, *_) = (s for s in plan.studies if s.arm == "thin")
    assert not [path for path in plain.space.salient(plain.space.constants()) if "method" in path]


def test_ways_of_scaling_are_told_apart_in_the_plan(tmp_path: Path):
    arm = "small: {method: {width_scaling: {by: {choice: [width, inner, depth]}}}}"
    (study, *_) = bound(tmp_path, arm, budgets="[0.7]").studies
    assert [r.scope for r in study.reach] == ["width_scaling", "by inner", "by depth"]
    (told,) = refused(
        tmp_path, "small: {method: {width_scaling: {by: depth, profile: {stage1: 2}}}}"
    )
    assert "arms.small.method.width_scaling" in told
    assert "profile is of widths" in told


MASKED = "masked: {method: {weight_pruning: {minimum: 2}}}"


def test_a_sparsity_budget_is_for_arms_that_mask_and_left_out_by_others(tmp_path: Path):
    other = "gradual: {method: {weight_pruning: {gradual: {epochs: 1, every: 5}}}}"
    plan = bound(tmp_path, THIN, MASKED, other, budgets="[{sparsity: 0.9}, 0.5]")
    at = {(study.arm, study.budget): study for study in plan.studies}
    assert ("thin", "sparsity=0.9") not in at
    masked = at["masked", "sparsity=0.9"]
    assert masked.id.startswith("masked@sparsity=0.9")
    assert (masked.target_macs, masked.epochs, masked.matching) == (plan.dense.macs, 2, None)
    assert masked.masked
    assert not at["thin", 0.5].masked
    assert plan.computed_macs(at["masked", 0.5]) == plan.dense.macs
    pairs = [(p.matching, p.a, p.b) for p in plan.family if p.budget == "sparsity=0.9"]
    assert pairs == [(None, "masked", "gradual")]


def test_an_arm_without_a_budget_of_its_kind_is_refused(tmp_path: Path):
    (told,) = refused(tmp_path, THIN, MASKED, budgets="[{sparsity: 0.9}]")
    assert "arms.thin.method" in told
    assert "none of the budgets" in told


def test_minima_that_are_more_than_a_budget_leave_it_to_nobody(tmp_path: Path):
    much = "masked: {method: {weight_pruning: {minimum: 100000}}}"
    (told,) = refused(tmp_path, much, budgets="[{sparsity: 0.9}]")
    assert "budgets[0]" in told
    assert "at least 100000 weights in each layer" in told
