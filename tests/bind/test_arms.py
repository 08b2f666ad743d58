"""Arms that cannot meet every budget, or that train the architecture of another arm."""

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


def test_a_control_has_one_study_per_replicate_whatever_the_budgets(tmp_path: Path):
    plan = bound(tmp_path, THIN, PRUNED, CONTROL)
    studies = [study for study in plan.studies if study.arm == "control"]
    assert [study.id for study in studies] == ["control@dense", "control@dense r2"]
    for study in studies:
        assert (study.budget, study.matching, study.inherits) == (None, None, True)
        assert (study.target_macs, study.epochs) == (plan.dense.macs, 2)
    assert not any("control" in (pair.a, pair.b) for pair in plan.family)
    assert plan.family == bound(tmp_path, THIN, PRUNED).family


def test_a_sweep_of_a_control_alone_is_refused(tmp_path: Path):
    messages = refused(tmp_path, CONTROL)
    assert len(messages) == 2
    assert all("budgets[" in line and "no arm can meet this budget" in line for line in messages)


def test_an_arm_without_budgets_refuses_values_that_differ_by_budget(tmp_path: Path):
    shared = "recipe: {weight_decay: {by_budget: {0.5: 0.001, 0.25: 0.002}}}"
    (message,) = refused(tmp_path, THIN, CONTROL, more=shared)
    assert "recipe.weight_decay" in message
    assert "the arm's own recipe" in message
    own = "control: {method: dense, recipe: {weight_decay: 0.001}}"
    assert len(bound(tmp_path, THIN, own, more=shared).studies) == 2 * (4 + 1)


def test_a_control_cannot_be_the_source_of_an_architecture(tmp_path: Path):
    (message,) = refused(tmp_path, PRUNED, CONTROL, "again: {method: {reinit: {from: control}}}")
    assert "arms.again.method.reinit.from" in message
    assert "allowed: pruned" in message


def test_a_sparsity_budget_that_no_arm_can_meet_is_refused(tmp_path: Path):
    (message,) = refused(tmp_path, THIN, budgets="[0.5, {sparsity: 0.9}]")
    assert "budgets[1]" in message
    assert "masks single weights" in message


COPYCAT = "copycat: {method: {copycat: {from: pruned, at: 2x}}}"


def test_a_copycat_takes_its_architecture_from_one_budget_of_its_source(tmp_path: Path):
    plan = bound(tmp_path, THIN, PRUNED, COPYCAT)
    studies = [study for study in plan.studies if study.arm == "copycat"]
    assert len(studies) == 2 * 2 * 2
    for study in studies:
        source = plan.study(study.source or "")
        assert (source.arm, source.budget) == ("pruned", 0.5)
        assert source.replicate == study.replicate
        assert [reach.within for reach in study.reach] == [True]
        assert study.epochs == plan.study(study.id.replace("copycat", "thin")).epochs


@pytest.mark.parametrize(
    ("wrong", "place"),
    [("{from: pruned, at: 0.3}", "copycat.at"),
     ("{from: pruned}", "copycat.at: is missing; allowed: a share of the"),
     ("{from: pruned, at: {choice: [0.5, 0.25]}}", "copycat.at"),
     ("{from: none, at: 0.5}", "copycat.from"),
     ("{from: pruned, at: {sparsity: 0.5}}", "copycat.at")],
)  # fmt: skip
def test_a_copycats_source_must_be_in_the_sweep(tmp_path: Path, wrong: str, place: str):
    messages = refused(tmp_path, PRUNED, f"copycat: {{method: {{copycat: {wrong}}}}}")
    assert any(place in line for line in messages)


THIN_PLUS = (
    "thin_plus: {method: {width_scaling: {profile: {stage1: {float: [0.5, 2]}, "
    "stage3: {choice: [0.5, 1]}}}}}"
)


def test_a_width_profile_may_be_searched(tmp_path: Path):
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


def test_the_plan_states_the_reach_of_each_way_of_scaling(tmp_path: Path):
    arm = "small: {method: {width_scaling: {by: {choice: [width, inner, depth]}}}}"
    (study, *_) = bound(tmp_path, arm, budgets="[0.7]").studies
    assert [r.scope for r in study.reach] == ["width_scaling", "by inner", "by depth"]
    (message,) = refused(
        tmp_path, "small: {method: {width_scaling: {by: depth, profile: {stage1: 2}}}}"
    )
    assert "arms.small.method.width_scaling" in message
    assert "profile is of widths" in message


MASKED = "masked: {method: {weight_pruning: {minimum: 2}}}"


def test_a_sparsity_budget_is_only_for_arms_that_mask(tmp_path: Path):
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
    (message,) = refused(tmp_path, THIN, MASKED, budgets="[{sparsity: 0.9}]")
    assert "arms.thin.method" in message
    assert "none of the budgets" in message


def test_a_budget_below_the_minimum_of_every_layer_is_refused(tmp_path: Path):
    much = "masked: {method: {weight_pruning: {minimum: 100000}}}"
    (message,) = refused(tmp_path, much, budgets="[{sparsity: 0.9}]")
    assert "budgets[0]" in message
    assert "at least 100000 weights in each layer" in message
