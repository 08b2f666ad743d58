"""What was decided beforehand stays so: pairs, seeds, and what growth costs."""

from __future__ import annotations

from itertools import pairwise

import pytest

from prunetune.analysis.report import Report, analyse
from prunetune.plan import Growth, Plan
from prunetune.records.record import Record
from prunetune.records.seeds import confirm_seed
from prunetune.statistics.evalue import two_sample_e
from prunetune.statistics.intervals import ALPHA
from tests.analysis.sweeps import make_plan, noisy, run

INHERITING = {"a": "channel_pruning", "b": "channel_pruning", "thin": "width_scaling"}
EARLIER, LATER = "2026-01-01T00:00:00+00:00", "2026-01-03T00:00:00+00:00"


def grown(plan: Plan, *changes: str, at: str = LATER) -> Plan:
    note = Growth(at=at, hash="0", changes=changes)
    return plan.model_copy(update={"growth": (*plan.growth, note)})


def ended(records: dict[str, Record]) -> dict[str, Record]:
    """The records, all of which ended between the two moments."""
    end = {"ended_at": "2026-01-02T00:00:00+00:00"}
    return {key: r.model_copy(update=end) for key, r in records.items()}


def pairs_of(report: Report) -> dict[frozenset[str], bool]:
    return {frozenset((p.a, p.b)): p.paired for p in report.verdicts[0].pairs}


@pytest.mark.parametrize(("seeds", "paired"), [(3, False), (7, False), (8, True), (10, True)])
def test_arms_of_a_block_are_paired_from_eight_planned_values_on(seeds: int, paired: bool) -> None:
    plan = make_plan(INHERITING, (0.25,), seeds=seeds)
    report = analyse(plan, run(plan, noisy({"a": 0.93, "b": 0.92, "thin": 0.93})))
    together = pairs_of(report)
    assert together.pop(frozenset("ab")) is paired
    assert not any(together.values())


def test_growth_of_seeds_turns_no_pairing_on() -> None:
    plan = grown(make_plan(INHERITING, (0.25,), seeds=9), "confirm.seeds: 5 -> 9", at=EARLIER)
    report = analyse(plan, ended(run(plan, noisy({"a": 0.93, "b": 0.92, "thin": 0.93}))))
    assert not any(pairs_of(report).values())


@pytest.mark.parametrize("missing", [(), (0,), (2, 5)])
def test_every_difference_is_that_of_the_means_shown(missing: tuple[int, ...]) -> None:
    """Pairs rest on common seeds; so do the means of their block, and the ranking."""
    plan = make_plan(INHERITING, (0.25,), matchings=("scratch_e", "scratch_b"), seeds=9)
    records = run(plan, noisy({"a": 0.93, "b": 0.93, "thin": 0.93}))
    lost = {confirm_seed(0, j) for j in missing}
    kept = {
        key: r.model_copy(update={"status": "failed", "test_acc1": None})
        if r.arm == "a" and r.phase == "confirm" and r.seed in lost
        else r
        for key, r in records.items()
    }
    for verdict in analyse(plan, kept).verdicts:
        means = {name: arm.mean or 0.0 for name, arm in verdict.arms.items()}
        assert verdict.arms["b"].n == verdict.arms["a"].n == 9 - len(missing)
        assert verdict.arms["thin"].n == 9
        for pair in verdict.pairs:
            assert pair.difference == pytest.approx(means[pair.a] - means[pair.b])
        assert verdict.difference is not None
        assert verdict.difference >= 0


def p_values(plan: Plan, records: dict[str, Record]) -> list[float]:
    return [p.p or 0.0 for v in analyse(plan, records).verdicts for p in v.pairs]


def test_seeds_added_after_a_look_are_judged_by_an_e_value() -> None:
    plan = make_plan(budgets=(0.25,), seeds=6)
    records = ended(run(plan, noisy({"thin": 0.93, "pruned": 0.934})))
    later = grown(plan, "confirm.seeds: 5 -> 6")
    values = [
        [r.test_acc1 or 0.0 for r in records.values() if r.arm == arm and r.phase == "confirm"]
        for arm in ("thin", "pruned")
    ]
    (p,) = p_values(later, records)
    assert p == pytest.approx(min(1.0, 1 / two_sample_e(*values)), rel=1e-3)
    (unspoilt,) = p_values(plan, records)
    assert p > unspoilt
    report = analyse(later, records)
    assert any("not planned" in sentence for sentence in report.preregistration.deviations)
    assert "confirm.seeds grew from 5 to 6 on 2026-01-03, after results were known." in (
        report.preregistration.deviations
    )


@pytest.mark.parametrize("change", ["confirm.seeds: 3 -> 6", "resources.cpus: 1 -> 2"])
def test_growth_that_no_result_can_have_caused_costs_nothing(change: str) -> None:
    plan = make_plan(budgets=(0.25,), seeds=6)
    records = ended(run(plan, noisy({"thin": 0.93, "pruned": 0.934})))
    assert p_values(grown(plan, change, at=EARLIER), records) == p_values(plan, records)


def test_growth_elsewhere_costs_nothing_and_is_listed() -> None:
    plan = make_plan(budgets=(0.25,), seeds=6)
    records = ended(run(plan, noisy({"thin": 0.93, "pruned": 0.934})))
    later = grown(plan, "limits.hours: None -> 3.0")
    assert p_values(later, records) == p_values(plan, records)
    (listed,) = analyse(later, records).preregistration.deviations
    assert listed.startswith("limits.hours changed from None to 3.0")


def test_more_seeds_never_win_by_chance_alone() -> None:
    """The interval of grown comparisons excludes zero exactly if they are won."""
    plan = grown(make_plan(budgets=(0.5, 0.25), seeds=6), "search.trials: 2 -> 4")
    for seed in range(10):
        means = {"thin": 0.93, "pruned": 0.93 + 0.001 * seed}
        for verdict in analyse(plan, ended(run(plan, noisy(means, seed=seed)))).verdicts:
            for pair in verdict.pairs:
                assert pair.low is not None
                assert pair.high is not None
                assert (pair.low > 0 or pair.high < 0) == ((pair.p or 0) <= ALPHA)


def test_p_falls_as_arms_move_apart_whether_or_not_the_sweep_grew() -> None:
    plan = make_plan(budgets=(0.25,), seeds=6)
    for each in (plan, grown(plan, "confirm.seeds: 5 -> 6")):
        ps = [
            p_values(each, ended(run(plan, noisy({"thin": 0.93, "pruned": 0.935 + d}))))[0]
            for d in (0.0, 0.005, 0.01, 0.02)
        ]
        assert all(later < earlier for earlier, later in pairwise(ps))


def test_a_plan_of_an_older_version_is_judged_and_says_so() -> None:
    plan = make_plan().model_copy(update={"registration": None, "hash": "0123456789abcdef"})
    report = analyse(plan, run(plan, noisy({"thin": 0.92, "pruned": 0.94})))
    assert report.preregistration.hash == "0123456789abcdef"
    assert report.preregistration.tests is None
    assert "older version" in report.preregistration.deviations[0]
    assert report.frontiers == ()
    assert all(verdict.winner == "pruned" for verdict in report.verdicts)
