"""Looks: the levels that the plan fixes, and what `plan` says of them and of other settings."""

from __future__ import annotations

from pathlib import Path

from prunetune.plan import Plan
from prunetune.statistics.intervals import ALPHA
from prunetune.sweep import plan_sweep
from prunetune.sweep.protocol_notes import protocol_notes

SWEEP = """
name: small
workload: {model: resnet14, dataset: digits, dense: {train: {epochs: 2}}}
budgets: [0.6, 0.5, 0.4, 0.3]
arms:
  thin: {method: width_scaling}
  pruned: {method: {channel_pruning: {scope: local}}}
recipe: {weight_decay: {float: [1e-5, 1e-3]}}
training: {finetune_epochs: 1, match: marginal}
search: {trials: 8}
"""


def planned(folder: Path, more: str = "", old: str = "", new: str = "") -> Plan:
    (folder / "sweep.yaml").write_text(SWEEP.replace(old, new) + more)
    return plan_sweep(folder / "sweep.yaml")


def test_the_plan_fixes_a_level_for_each_look(tmp_path: Path) -> None:
    plan = planned(tmp_path, "confirm: {looks: [3, 5, 8]}")
    assert plan.registration is not None
    looks = plan.registration.looks
    assert [look.seeds for look in looks] == [3, 5, 8]
    level = ALPHA / len(plan.family)
    assert all(0 < look.level <= level for look in looks)
    assert sum(look.level for look in looks) >= level, "together they spend the whole level"
    assert plan.confirm.seeds == 8
    assert Plan.model_validate_json(plan.model_dump_json(by_alias=True)) == plan
    assert planned(tmp_path, "confirm: {seeds: 8}").registration != plan.registration


def test_a_plan_says_what_its_settings_lead_to(tmp_path: Path) -> None:
    assert protocol_notes(planned(tmp_path)) == ()
    few = protocol_notes(planned(tmp_path, "confirm: {looks: [3, 5]}", "trials: 8", "trials: 6"))
    assert [note.partition(":")[0] for note in few] == [
        "Looks at 3 and 5 confirm seeds",
        "All search trials are random",
        "No trial is stopped early",
    ]
    assert "tpe starts to learn after 6 trials" in few[1]
    none = planned(tmp_path, "", "recipe: {weight_decay: {float: [1e-5, 1e-3]}}\n", "")
    assert protocol_notes(none) == ()
