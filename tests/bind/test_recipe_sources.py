"""Arms that train by another arm's winning recipe: the studies they get, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from prunetune.config.problems.errors import SpecError
from prunetune.plan import Plan
from prunetune.sweep import plan_sweep

SWEEP = """
name: crossed
workload: {model: resnet14, dataset: digits, dense: {train: {epochs: 4}}}
budgets: [0.5, 0.25]
arms:
  thin:
    method: width_scaling
    recipe: {label_smoothing: {float: [0, 0.2]}, batch_size: {by_budget: {0.5: 64, 0.25: 32}}}
  pruned: {method: channel_pruning}
  crossed: {method: {channel_pruning: {scope: local}}, recipe: {from: thin}}
recipe: {weight_decay: {float: [1e-5, 1e-2], log: true}}
training: {finetune_epochs: 2, match: scratch_b}
search: {trials: 3, replicates: 2}
"""


def bound(folder: Path, *changes: tuple[str, str]) -> Plan:
    text = SWEEP
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (folder / "sweep.yaml").write_text(text)
    return plan_sweep(folder / "sweep.yaml")


def test_it_has_the_space_of_its_lender_and_no_trials(tmp_path: Path) -> None:
    plan = bound(tmp_path)
    for study in (s for s in plan.studies if s.arm == "crossed"):
        suffix = " r2" if study.replicate else ""
        assert study.recipe_source == f"thin@{study.budget} scratch_b{suffix}"
        assert (study.trials, study.source, study.matching) == (0, None, None)
        lender = plan.study(study.recipe_source)
        recipes = [
            [d for d in s.space.dimensions if d.path.startswith("recipe.")] for s in (study, lender)
        ]
        assert recipes[0] == recipes[1]
        assert lender.trials == 3
    assert {s.trials for s in plan.studies if s.arm == "pruned"} == {3}


def test_a_matching_is_named_where_the_lender_has_several(tmp_path: Path) -> None:
    several = ("match: scratch_b", "match: [marginal, scratch_b]")
    named = ("{from: thin}", "{from: thin, match: marginal}")
    plan = bound(tmp_path, several, named)
    assert plan.study("crossed@0.5").recipe_source == "thin@0.5 marginal"
    scratch = ("{channel_pruning: {scope: local}}", "width_scaling")
    plan = bound(tmp_path, several, scratch)
    for matching in ("marginal", "scratch_b"):
        study = plan.study(f"crossed@0.5 {matching}")
        assert study.recipe_source == f"thin@0.5 {matching}"
    assert bound(tmp_path, ("from: thin", "from: pruned")).study("crossed@0.5").recipe_source == (
        "pruned@0.5"
    )


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ([("from: thin", "from: thinn")], "did you mean 'thin'"),
        ([("from: thin", "from: crossed")], "no other arm with a recipe of its own"),
        ([("from: thin", "from: [1]")], "no other arm with a recipe of its own"),
        ([("from: thin", "from: thin, ema: 0.9")], "arms.crossed.recipe.ema"),
        ([("from: thin", "from: thin, match: marginal")], "is not a matching of thin"),
        ([("from: thin", "from: pruned, match: scratch_b")], "has no matching"),
        ([("match: scratch_b", "match: [marginal, scratch_b]")], "has a recipe for each matching"),
        ([("scope: local", "scope: {choice: [local, global]}")], "method.scope is a range"),
        ([("{channel_pruning: {scope: local}}", "dense")], "no recipe for this arm's budget"),
        ([("recipe: {from: thin}", "recipe: {from: thin}, first: [{}]")], "arms.crossed"),
        (
            [("recipe: {from: thin}}", "recipe: {from: thin}}\n  r: {method: {reinit: {from: crossed}}}")],  # noqa: E501
            "searches recipes on the winning shape of crossed",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_lent_is_refused_by_its_place(
    tmp_path: Path, changes: list[tuple[str, str]], says: str
) -> None:
    with pytest.raises(SpecError) as refused:
        bound(tmp_path, *changes)
    assert says in str(refused.value)


def test_a_shape_found_by_a_lent_recipe_may_be_trained_by_a_lent_recipe(tmp_path: Path) -> None:
    more = "recipe: {from: thin}}\n  r: {method: {reinit: {from: crossed}}, recipe: {from: thin}}"
    plan = bound(tmp_path, ("recipe: {from: thin}}", more))
    study = plan.study("r@0.5 scratch_b")
    assert (study.source, study.recipe_source) == ("crossed@0.5", "thin@0.5 scratch_b")
