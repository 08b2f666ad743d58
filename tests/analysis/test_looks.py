"""Planned looks: seeds until a pair is decided, at the levels that the plan states."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from prunetune.analysis.report import analyse
from prunetune.config.problems.errors import SpecError
from prunetune.plan import Plan
from prunetune.records.record import Record
from prunetune.records.seeds import confirm_seed
from prunetune.statistics.contrasts import welch
from prunetune.statistics.equivalence import equivalence_p
from prunetune.statistics.intervals import ALPHA
from prunetune.statistics.sequential import after_looks
from prunetune.sweep import plan_sweep
from tests.analysis.sweeps import make_plan, noisy, run

LOOKS = (3, 5, 8)


def planned(margin: float = 0.002) -> Plan:
    return make_plan(confirm={"looks": list(LOOKS), "margin": margin})


def up_to(records: dict[str, Record], seeds: int) -> dict[str, Record]:
    last = confirm_seed(0, seeds)
    return {k: r for k, r in records.items() if r.phase != "confirm" or r.seed < last}


def accuracies(records: dict[str, Record], budget: float) -> list[list[float]]:
    found = sorted((r for r in records.values() if r.phase == "confirm"), key=lambda r: r.seed)
    return [
        [r.test_acc1 or 0.0 for r in found if r.arm == arm and r.budget == budget]
        for arm in ("thin", "pruned")
    ]


@pytest.mark.parametrize("gap", [0.0, 0.002, 0.004, 0.01])
def test_a_pair_is_decided_at_the_first_look_that_decides_it(gap: float) -> None:
    plan = planned(margin=0.003)
    assert plan.registration is not None
    levels = {look.seeds: look.level for look in plan.registration.looks}
    for seed in range(6):
        means = {"thin": 0.93, "pruned": 0.93 + gap}
        records = run(plan, noisy(means, 0.001, seed=seed))
        for verdict in analyse(plan, records).verdicts:
            (pair,) = verdict.pairs
            a, b = accuracies(records, float(verdict.budget or 0))
            first = None
            for n in LOOKS:
                measured = welch(a[:n], b[:n], 1e-4)
                assert measured is not None
                if measured.p <= levels[n] or equivalence_p(measured, 0.003) <= levels[n]:
                    first = n
                    break
            assert (pair.look if pair.verdict != "undecided" else None) == first
            assert pair.look == (first or LOOKS[-1])
            assert pair.difference == pytest.approx(
                np.mean(a[: pair.look]) - np.mean(b[: pair.look])
            )


def test_what_an_early_look_decided_does_not_wait_for_later_seeds() -> None:
    plan = planned()
    records = run(plan, noisy({"thin": 0.80, "pruned": 0.95}, 0.001))
    report = analyse(plan, up_to(records, 3))
    assert [v.winner for v in report.verdicts] == ["pruned", "pruned"]
    assert [look.model_dump() for look in report.preregistration.looks] == [
        {"seeds": 3, "judged": 2, "decided": 2}
    ]


def test_a_look_that_is_not_complete_is_not_taken() -> None:
    plan = planned()
    records = up_to(run(plan, noisy({"thin": 0.80, "pruned": 0.95}, 0.001)), 2)
    report = analyse(plan, records)
    assert {v.verdict for v in report.verdicts} == {"undecided"}
    assert report.preregistration.looks == ()


def test_equal_arms_are_told_apart_no_more_often_than_alpha() -> None:
    plan = make_plan(budgets=(0.25,), confirm={"looks": [3, 5, 8, 12, 20], "margin": 1e-9})
    assert plan.registration is not None
    looks = [(look.seeds, look.level) for look in plan.registration.looks]
    rng, wrong, sweeps = np.random.default_rng(0), 0, 3000
    for values in rng.normal(0.93, 0.002, (sweeps, 2, 20)).tolist():
        a, b = (dict(enumerate(side)) for side in values)
        wrong += after_looks(a, b, looks, len(looks), 1e-9).decided
    assert 0.035 < wrong / sweeps < ALPHA + 3 * (0.05 * 0.95 / sweeps) ** 0.5


def test_every_interval_agrees_with_its_verdict() -> None:
    plan = planned(margin=1e-9)
    for seed in range(10):
        records = run(plan, noisy({"thin": 0.93, "pruned": 0.93 + 0.0005 * seed}, seed=seed))
        for verdict in analyse(plan, records).verdicts:
            (pair,) = verdict.pairs
            assert pair.low is not None
            assert pair.high is not None
            assert (pair.low > 0 or pair.high < 0) == (pair.verdict == "wins")


SWEEP = """
name: small
workload: {model: resnet14, dataset: digits}
budgets: [0.5]
arms: {thin: {method: width_scaling}, pruned: {method: channel_pruning}}
"""


def bound(folder: Path, more: str) -> Plan:
    path = folder / "sweep.yaml"
    path.write_text(SWEEP + more)
    return plan_sweep(path)


def test_the_plan_states_looks_and_levels(tmp_path: Path) -> None:
    plan = bound(tmp_path, "confirm: {looks: [3, 5, 9]}")
    assert plan.confirm.seeds == 9
    assert plan.registration is not None
    assert [look.seeds for look in plan.registration.looks] == [3, 5, 9]
    assert all(0 < look.level < ALPHA for look in plan.registration.looks)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("confirm: {looks: [3, 5], seeds: 8}", "leave seeds out"),
        ("confirm: {looks: [5, 3]}", "rising"),
        ("confirm: {looks: [2, 5]}", "3"),
        ("confirm: {looks: [3, 5]}\nsearch: {replicates: 3}", "more seeds of them decide nothing"),
        ("confirm: {looks: [3, 5], contrasts: [area]}", "need the same seeds at every budget"),
    ],
)
def test_looks_that_cannot_decide_are_refused(tmp_path: Path, more: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        bound(tmp_path, more)
