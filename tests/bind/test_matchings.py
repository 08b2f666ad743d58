"""Arms that take part in some of the sweep's matchings, and sweeps that search nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from prunetune.config.problems.errors import SpecError
from prunetune.plan import Plan
from prunetune.sweep import plan_sweep

SWEEP = """
name: small
workload: {model: resnet14, dataset: digits, dense: {train: {epochs: 4}}}
budgets: [0.5, 0.25]
arms:
  pruned: {method: {channel_pruning: {scope: local}}}
  thin: {method: width_scaling}
  reinit: {method: {reinit: {from: pruned}}, match: scratch_e}
training: {finetune_epochs: 2, match: [marginal, scratch_e, scratch_b]}
"""


def bound(folder: Path, *changes: tuple[str, str], more: str = "") -> Plan:
    text = SWEEP
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = folder / "sweep.yaml"
    path.write_text(text + more)
    return plan_sweep(path)


def refused(folder: Path, *changes: tuple[str, str], more: str = "") -> str:
    with pytest.raises(SpecError) as error:
        bound(folder, *changes, more=more)
    return str(error.value)


def test_an_arm_has_studies_and_comparisons_under_its_own_matchings_alone(tmp_path: Path) -> None:
    plan = bound(tmp_path)
    assert {s.matching for s in plan.studies if s.arm == "thin"} == set(plan.matchings())
    assert {s.id for s in plan.studies if s.arm == "reinit"} == {
        "reinit@0.5 scratch_e", "reinit@0.25 scratch_e"
    }  # fmt: skip
    with_reinit = {c.matching for c in plan.family if "reinit" in (c.a, c.b)}
    assert with_reinit == {"scratch_e"}
    without = [c for c in plan.family if "reinit" not in (c.a, c.b)]
    assert {(c.budget, c.matching) for c in without} == {
        (b, m) for b in (0.5, 0.25) for m in plan.matchings()
    }


def test_a_matching_may_be_a_length(tmp_path: Path) -> None:
    plan = bound(tmp_path, ("[marginal, scratch_e, scratch_b]", "[scratch_e, epochs=9]"))
    thin = {s.id: s.epochs for s in plan.studies if s.arm == "thin"}
    assert thin == {
        "thin@0.5 scratch_e": 4, "thin@0.5 epochs=9": 9,
        "thin@0.25 scratch_e": 4, "thin@0.25 epochs=9": 9,
    }  # fmt: skip
    assert ("epochs=9", "pruned", "thin") in {(c.matching, c.a, c.b) for c in plan.family}
    for wrong in ("epochs=0", "epochs=", "epochs=1.5", "epochs=9 "):
        message = refused(tmp_path, ("scratch_e, scratch_b]", f"'{wrong}']"))
        assert "training.match[1]: unknown value" in message


def test_all_matchings_named_are_the_same_as_none_named(tmp_path: Path) -> None:
    every = bound(tmp_path, ("match: scratch_e", "match: [scratch_b, marginal, scratch_e]"))
    assert every == bound(tmp_path, (", match: scratch_e", ""))


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("match: scratch_e}", "match: scratch_b_rethinking}", "training.match does not"),
        ("match: scratch_e}", "match: []}", "arms.reinit.match"),
        ("scope: local}}}", "scope: local}}, match: marginal}", "takes part in every matching"),
        ("from: pruned", "from: thin", ""),
    ],
)
def test_a_matching_that_an_arm_cannot_take_is_refused(
    tmp_path: Path, old: str, new: str, says: str
) -> None:
    if says:
        assert says in refused(tmp_path, (old, new))
    else:  # thin has all matchings; it lends its architectures under each of them
        plan = bound(tmp_path, (old, new))
        assert plan.study("reinit@0.5 scratch_e").source == "thin@0.5 scratch_e"


def test_an_arm_takes_architectures_only_under_matchings_that_its_source_has(
    tmp_path: Path,
) -> None:
    message = refused(
        tmp_path,
        ("from: pruned}}, match: scratch_e", "from: thin}}"),
        ("method: width_scaling", "method: width_scaling, match: marginal"),
    )
    assert "arms.reinit.match" in message
    assert "thin, which has fewer matchings" in message


def test_a_sweep_without_ranges_needs_no_search(tmp_path: Path) -> None:
    plan = bound(tmp_path, more="search: {trials: 0}\n")
    assert {study.trials for study in plan.studies} == {0}
    message = refused(
        tmp_path, more="search: {trials: 0}\nrecipe: {weight_decay: {choice: [0, 1]}}"
    )
    assert "search.trials" in message
    assert "recipe.weight_decay" in message
