"""A trial is of a plan where the plan would give it its key; whatever else it says, it is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from prunetune.agenda.keys import strangers
from prunetune.plan import Plan
from prunetune.records.record import Record
from prunetune.sweep import plan_sweep
from tests.agenda.simulated import SPACE, Sweep, plan, study

PLANS = {
    "two arms": plan(arms=("thin", "pruned"), trials=2, seeds=1, budgets=(0.5,)),
    "all": plan(arms=("thin", "pruned", "reinit", "copycat", "control", "crossed"), trials=2),
    "matchings": plan(matchings=("scratch_b", "scratch_e"), trials=2, seeds=1),
    "replicates": plan(replicates=2, trials=2, seeds=1, top=2),
    "loaded": plan(source="checkpoint", trials=2, seeds=1),
    "shared": plan(fresh=False, trials=2, seeds=1),
}


def trials(sweep: Sweep) -> list:
    return [*sweep.records.values(), *sweep.dealt.values()]


@pytest.mark.parametrize("name", PLANS)
def test_no_trial_is_a_stranger_to_its_own_plan(name: str) -> None:
    sweep = Sweep(PLANS[name], checked=False).run()
    assert {r.phase for r in sweep.records.values()} >= {"dense", "confirm"}
    assert list(strangers(sweep.plan, trials(sweep))) == []


def test_growth_makes_no_strangers() -> None:
    sweep = Sweep(plan(trials=2, seeds=1, budgets=(0.5,)), checked=False).run()
    grown = plan(
        trials=5, seeds=3, budgets=(0.5, 0.25), replicates=2, matchings=("scratch_b", "scratch_e")
    )
    assert list(strangers(grown, trials(sweep))) == []


@pytest.mark.parametrize(
    "other",
    [
        plan(trials=2, seeds=1, budgets=(0.5,), data_key="other images"),
        plan(trials=2, seeds=1, budgets=(0.5,), tolerance=0.01),
        plan(trials=2, seeds=1, budgets=(0.4,)),
        plan(arms=("thin",), trials=2, seeds=1, budgets=(0.5,)),
        plan(studies=tuple(study(a, 0.5, trials=2, epochs=7) for a in ("thin", "pruned"))),
        plan(studies=tuple(study(a, 0.5, target_macs=499) for a in ("thin", "pruned"))),
    ],
    ids=["data", "tolerance", "budget", "arm", "epochs", "target"],
)
def test_another_question_has_other_trials(other: Plan) -> None:
    sweep = Sweep(PLANS["two arms"], checked=False).run()
    found = {trial.key for trial, _ in strangers(other, trials(sweep))}
    assert found >= {r.key for r in sweep.records.values() if r.study == "pruned@0.5"}


def test_what_was_changed_in_a_record_makes_it_a_stranger() -> None:
    sweep = Sweep(PLANS["two arms"], checked=False).run()
    record = next(r for r in sweep.records.values() if r.phase == "search")
    (path,) = (dimension.path for dimension in SPACE.dimensions)
    changes = [
        {"config": {path: 0.5}}, {"config": {}}, {"seed": 7}, {"number": None}, {"number": 9},
        {"inputs": {"dense": "another"}}, {"study": "none@0.5"}, {"phase": "confirm"},
    ]  # fmt: skip
    for change in changes:
        changed = record.model_copy(update=change)
        assert [trial for trial, _ in strangers(sweep.plan, [changed])] == [changed], change


def test_trials_of_the_first_version_are_known_too() -> None:
    folder = Path(__file__).parents[2] / "experiments" / "2026-11-20-quickstart"
    texts = [file.read_bytes() for file in folder.glob("records/*.json")]
    records = [Record.model_validate_json(text) for text in texts]
    assert len(records) > 50
    assert list(strangers(plan_sweep(folder / "sweep.yaml"), records)) == []
