"""Verdicts: when an arm wins, and above all when no arm may be said to win."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from prunetune.analysis.report import analyse
from prunetune.analysis.verdicts.arm_pairs import Pair
from prunetune.analysis.verdicts.claims import Claim
from prunetune.analysis.verdicts.judged import Levels, Measure, judged
from prunetune.analysis.verdicts.verdict import conclude
from prunetune.plan import Plan, Study
from prunetune.records.record import Record
from prunetune.records.seeds import confirm_seed
from prunetune.statistics.contrasts import Contrast, paired, welch
from prunetune.statistics.corrections import JUST_OFF_ZERO, holm
from prunetune.statistics.intervals import ALPHA
from tests.analysis.sweeps import make_plan, noisy, record, run

THREE = {"thin": "width_scaling", "pruned": "channel_pruning", "reinit": "reinit"}


def beats(a: str, b: str) -> Pair:
    return Pair(a=min(a, b), b=max(a, b), verdict="wins", winner=a)


def same(a: str, b: str) -> Pair:
    return Pair(a=a, b=b, verdict="equivalent")


def unknown(a: str, b: str) -> Pair:
    return Pair(a=a, b=b)


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        ([beats("a", "b"), beats("a", "c"), unknown("b", "c")], ("wins", "a")),
        ([beats("b", "a"), beats("c", "a"), beats("c", "b")], ("wins", "c")),
        ([beats("a", "b"), unknown("a", "c"), unknown("b", "c")], ("undecided", None)),
        ([beats("a", "b"), same("a", "c"), beats("c", "b")], ("undecided", None)),
        ([same("a", "b"), same("a", "c"), same("b", "c")], ("equivalent", None)),
        ([same("a", "b"), same("a", "c"), unknown("b", "c")], ("undecided", None)),
        ([beats("a", "b"), beats("b", "c"), beats("c", "a")], ("undecided", None)),
        ([beats("a", "b"), beats("a", "c")], ("wins", "a")),  # a is the control
        ([beats("b", "a"), beats("a", "c")], ("undecided", None)),
        ([same("a", "b"), same("a", "c")], ("undecided", None)),
        ([], ("undecided", None)),
    ],
)
def test_truth_table(pairs: list[Pair], expected: tuple[str, str | None]) -> None:
    assert conclude(pairs, ["a", "b", "c"]) == expected


def test_pairs_share_a_block_only_where_seeds_share_a_network() -> None:
    arms = {**THREE, "random": "channel_pruning"}
    plan = make_plan(arms, (0.25,), seeds=8)
    report = analyse(plan, run(plan, noisy(dict.fromkeys(arms, 0.93))))
    assert {frozenset((p.a, p.b)) for p in report.verdicts[0].pairs if p.paired} == {
        frozenset(pair) for pair in combinations(("pruned", "reinit", "random"), 2)
    }
    shared = make_plan(arms, (0.25,), seeds=8, fresh=False)
    report = analyse(shared, run(shared, noisy(dict.fromkeys(arms, 0.93))))
    paired_ = [{p.a, p.b} for p in report.verdicts[0].pairs if p.paired]
    assert paired_ == [{"pruned", "reinit"}]  # one dense network for all is no block


def test_a_plain_difference_is_found_and_oriented() -> None:
    plan = make_plan(seeds=8)
    report = analyse(plan, run(plan, noisy({"thin": 0.92, "pruned": 0.94}, 0.001)))
    for verdict in report.verdicts:
        assert (verdict.verdict, verdict.winner) == ("wins", "pruned")
        (pair,) = verdict.pairs
        assert (pair.a, pair.b, pair.winner) == ("thin", "pruned", "pruned")
        assert pair.difference == pytest.approx(-(verdict.difference or 0))
        assert verdict.low is not None
        assert verdict.high is not None
        assert 0 < verdict.low < (verdict.difference or 0) < verdict.high
        assert (pair.low, pair.high) == (-verdict.high, -verdict.low)
        arms = verdict.arms
        assert verdict.difference == pytest.approx(arms["pruned"].mean - arms["thin"].mean)


def test_equal_arms_are_equivalent_within_the_margin_alone() -> None:
    records_of = noisy({"thin": 0.93, "pruned": 0.93}, 0.0003)
    wide = make_plan(seeds=8, confirm={"seeds": 8, "margin": 0.005})
    narrow = make_plan(seeds=8, confirm={"seeds": 8, "margin": 0.0001})
    assert {v.verdict for v in analyse(wide, run(wide, records_of)).verdicts} == {"equivalent"}
    assert {v.verdict for v in analyse(narrow, run(narrow, records_of)).verdicts} == {"undecided"}


@pytest.mark.parametrize("difference", [0.0, 0.0004])
def test_nobody_is_called_ahead_by_nothing(difference: float) -> None:
    def accuracy(study: Study, j: int) -> float:
        return 0.93 + 0.01 * (-1) ** j + difference * (study.arm == "pruned")

    plan = make_plan(seeds=4)
    for sentence in analyse(plan, run(plan, accuracy)).sentences:
        ahead = "pruned is 0.04 points ahead of thin, which may be chance (thin minus pruned:"
        assert (ahead if difference else "thin and pruned are level (thin minus") in sentence


@pytest.mark.parametrize("seeds", [1, 2])
def test_one_seed_has_no_interval_and_two_rarely_decide(seeds: int) -> None:
    plan = make_plan(seeds=seeds)
    report = analyse(plan, run(plan, noisy({"thin": 0.925, "pruned": 0.935})))
    assert {v.verdict for v in report.verdicts} == {"undecided"}
    arm = report.verdicts[0].arms["thin"]
    assert (arm.low is None) == (seeds == 1)
    assert any("below three" in caveat for caveat in report.limits)


def false_wins(test: Callable[..., object], n: int, arms: int, sweeps: int) -> float:
    """The share of sweeps of identical arms in which any pair is said to differ."""
    rng = np.random.default_rng(n)
    family = list(combinations(range(arms), 2))
    wrong = 0
    for _ in range(sweeps):
        values = rng.normal(0.93, 0.002, (arms, n)).tolist()
        contrasts = [welch(values[a], values[b]) for a, b in family]
        smallest = min(c.p for c in contrasts if c)
        wrong += smallest * len(family) <= ALPHA  # Holm's first step decides whether any is wrong
    return wrong / sweeps


def test_identical_arms_seldom_differ() -> None:
    rate = false_wins(welch, n=5, arms=3, sweeps=3000)
    noise = 3 * (ALPHA * (1 - ALPHA) / 3000) ** 0.5
    assert 0.005 < rate < ALPHA + noise


def test_picture_and_verdict_agree() -> None:
    """A pair is won exactly where its interval leaves zero out, whatever the step of Holm."""
    rng = np.random.default_rng(0)
    for seed in range(20):
        gap = float(rng.uniform(0, 0.01))
        plan = make_plan(THREE, (0.5, 0.25), confirm={"seeds": 5, "margin": 1e-6})
        means = {"thin": 0.93, "pruned": 0.93 + gap, "reinit": 0.932}
        for verdict in analyse(plan, run(plan, noisy(means, seed=seed))).verdicts:
            for pair in verdict.pairs:
                assert pair.low is not None
                assert pair.high is not None
                clear = pair.low > 0 or pair.high < 0
                assert clear == (pair.verdict == "wins") == ((pair.p or 0) <= ALPHA)


def test_p_is_corrected_over_the_whole_family() -> None:
    plan = make_plan(THREE, (0.5, 0.25), matchings=("scratch_e", "scratch_b"), seeds=8)
    records = run(plan, noisy({"thin": 0.93, "pruned": 0.935, "reinit": 0.932}))
    values: dict[tuple[object, ...], list[float | None]] = {}
    for r in sorted(records.values(), key=lambda r: r.seed):
        if r.phase == "confirm":
            values.setdefault((r.arm, r.budget, r.matching), []).append(r.test_acc1)
    raw, corrected = [], []
    for verdict in analyse(plan, records).verdicts:
        for pair in verdict.pairs:
            a, b = (
                values[arm, verdict.budget, None if arm == "pruned" else verdict.matching]
                for arm in (pair.a, pair.b)
            )
            alike = {pair.a, pair.b} == {"pruned", "reinit"}
            test = stats.ttest_rel(a, b) if alike else stats.ttest_ind(a, b, equal_var=False)
            raw.append(test.pvalue)
            corrected.append(pair.p)
    assert len(raw) == len(plan.family) == 12
    assert corrected == pytest.approx(holm(raw))
    assert min(corrected) == pytest.approx(12 * min(raw))


def decide(measured: Contrast, p: float, family: int, margin: float) -> Pair:
    """a against b at one step of a correction over `family` comparisons."""
    level = ALPHA / family
    levels = Levels(p=p, raw=measured.p, interval=level, equivalence=level, margin=margin)
    measure = Measure(measured, Claim(subject="arms"), "confirm seed", measured.n)
    return Pair(**judged(measure, "a", "b", levels))


def test_an_end_that_holm_alone_decides_is_open_at_zero() -> None:
    measured = paired([0.93, 0.931, 0.9325, 0.934], [0.929, 0.9295, 0.93, 0.9312])
    assert measured is not None
    assert ALPHA / 4 < measured.p < ALPHA  # one step of Holm decides, Bonferroni does not
    pair = decide(measured, measured.p, family=4, margin=1e-4)
    assert (pair.winner, pair.low) == ("a", JUST_OFF_ZERO)
    open_ = decide(measured, 4 * measured.p, family=4, margin=1e-4)
    assert open_.verdict == "undecided"
    assert open_.low is not None
    assert open_.low < 0


def with_end(plan: Plan, records: dict[str, Record], arm: str, status: str) -> dict[str, Record]:
    """The same sweep, in which confirm seed 0 of `arm` ended otherwise."""
    first = confirm_seed(0, 0)
    return {
        key: r.model_copy(update={"status": status, "test_acc1": None, "error": "loss is nan"})
        if (r.arm, r.phase, r.seed) == (arm, "confirm", first)
        else r
        for key, r in records.items()
    }


def test_an_arm_that_lost_seeds_by_its_own_doing_cannot_win_but_can_lose() -> None:
    plan = make_plan(budgets=(0.25,), seeds=8)
    records = run(plan, noisy({"thin": 0.92, "pruned": 0.94}, 0.001))
    assert analyse(plan, records).verdicts[0].winner == "pruned"
    better = analyse(plan, with_end(plan, records, "pruned", "diverged")).verdicts[0]
    assert better.winner is None
    assert better.arms["pruned"].n == 7
    assert [loss.status for loss in better.arms["pruned"].lost] == ["diverged"]
    worse = analyse(plan, with_end(plan, records, "thin", "diverged")).verdicts[0]
    assert worse.winner == "pruned"
    fault = analyse(plan, with_end(plan, records, "pruned", "failed")).verdicts[0]
    assert fault.winner == "pruned"
    assert [loss.status for loss in fault.arms["pruned"].lost] == ["failed"]


def test_a_collapsed_seed_stays_in_the_mean_and_is_named() -> None:
    plan = make_plan(budgets=(0.25,))
    usual = noisy({"thin": 0.93, "pruned": 0.93})

    def accuracy(study: Study, j: int) -> float:
        return 0.1 if study.arm == "thin" and j == 3 else usual(study, j)

    arm = analyse(plan, run(plan, accuracy)).verdicts[0].arms["thin"]
    assert [(loss.seed, loss.status) for loss in arm.lost] == [(confirm_seed(0, 3), "collapsed")]
    assert arm.n == 5
    assert arm.mean is not None
    assert arm.mean < 0.8 < (arm.median or 0)


def test_there_is_no_verdict_before_all_seeds_have_ended() -> None:
    plan = make_plan(budgets=(0.25,), seeds=8)
    records = run(plan, noisy({"thin": 0.92, "pruned": 0.94}, 0.001))
    last = confirm_seed(0, 7)
    partial = {k: r for k, r in records.items() if (r.arm, r.seed) != ("thin", last)}
    report = analyse(plan, partial)
    assert report.verdicts[0].verdict == "undecided"
    assert report.verdicts[0].arms["thin"].pending == 1
    assert report.verdicts[0].difference is not None
    assert "of 8 confirm seeds each, still to come: thin 1." in report.sentences[0]


def test_a_seed_that_will_never_come_does_not_block() -> None:
    """The source's seed diverged, so the copy of its architecture is closed."""
    plan = make_plan(THREE, (0.25,), seeds=8)
    records = run(plan, noisy({"thin": 0.90, "pruned": 0.92, "reinit": 0.94}, 0.001))
    records = with_end(plan, records, "pruned", "diverged")
    first = confirm_seed(0, 0)
    records = {k: r for k, r in records.items() if (r.arm, r.seed) != ("reinit", first)}
    verdict = analyse(plan, records).verdicts[0]
    assert [loss.status for loss in verdict.arms["reinit"].lost] == ["closed"]
    assert verdict.arms["reinit"].pending == 0
    assert verdict.winner == "reinit"


def test_an_arm_that_cannot_meet_the_budget_is_not_beaten() -> None:
    plan = make_plan(THREE, (0.25,), seeds=8)
    studies = tuple(
        s.model_copy(update={"infeasible": "smallest reachable: 40 M"}) if s.arm == "thin" else s
        for s in plan.studies
    )
    plan = plan.model_copy(update={"studies": studies})
    report = analyse(plan, run(plan, noisy({"pruned": 0.94, "reinit": 0.92}, 0.001)))
    assert report.verdicts[0].winner == "pruned"
    assert report.verdicts[0].arms["thin"].infeasible == "smallest reachable: 40 M"
    assert {r.state for r in report.frontier if r.arm == "thin"} == {"infeasible"}


def test_an_arm_whose_source_is_infeasible_is_closed_and_not_compared() -> None:
    arms = {"thin": "width_scaling", "wide": "width_scaling", **THREE}
    plan = make_plan(arms, (0.25,), seeds=8)
    studies = tuple(
        s.model_copy(update={"infeasible": "no"}) if s.arm == "pruned" else s for s in plan.studies
    )
    records = run(plan, noisy({"thin": 0.92, "wide": 0.94, "pruned": 0.5, "reinit": 0.5}, 0.001))
    remaining = {k: r for k, r in records.items() if r.arm in (None, "thin", "wide")}
    report = analyse(plan.model_copy(update={"studies": studies}), remaining)
    states = {row.arm: row.state for row in report.frontier}
    assert (states["pruned"], states["reinit"]) == ("infeasible", "closed")
    assert report.verdicts[0].winner == "wide"


def test_with_replicates_every_search_counts_once() -> None:
    plan = make_plan(budgets=(0.25,), replicates=3, seeds=4)
    records = run(plan, noisy({"thin": 0.92, "pruned": 0.94}))
    arm = analyse(plan, records).verdicts[0].arms["thin"]
    means = [
        np.mean([r.test_acc1 for r in records.values() if r.phase == "confirm"
                 and r.arm == "thin" and r.replicate == rep])
        for rep in range(3)
    ]  # fmt: skip
    assert (arm.n, arm.unit) == (3, "search")
    assert arm.mean == pytest.approx(np.mean(means))
    assert (arm.high or 0) - (arm.mean or 0) == pytest.approx(
        4.30265 * np.std(means, ddof=1) / 3**0.5, rel=1e-4
    )


@pytest.mark.parametrize(("end", "winner"), [("diverged", None), ("failed", "pruned")])
def test_an_arm_whose_whole_search_diverged_cannot_win_with_the_others(
    end: str, winner: str | None
) -> None:
    """One that failed is a fault, and says nothing of the arm."""
    plan = make_plan(budgets=(0.25,), replicates=4, seeds=2)
    records = run(plan, noisy({"thin": 0.90, "pruned": 0.94}, 0.0005))
    first = plan.study("pruned@0.25").id
    kept = {k: r for k, r in records.items() if (r.study, r.phase) != (first, "confirm")}
    ended = {
        k: r.model_copy(update={"status": end, "val_acc1": None}) if r.study == first else r
        for k, r in kept.items()
    }
    verdict = analyse(plan, ended).verdicts[0]
    assert verdict.arms["pruned"].n == 3
    assert verdict.winner == winner


@pytest.mark.parametrize(("replicates", "results"), [(1, "2 seeds"), (2, "2 searches"), (3, None)])
def test_two_independent_results_are_too_few(replicates: int, results: str | None) -> None:
    plan = make_plan(budgets=(0.25,), replicates=replicates, seeds=2 if replicates == 1 else 5)
    caveats = analyse(plan, run(plan, noisy({"thin": 0.92, "pruned": 0.94}))).limits
    few = [caveat for caveat in caveats if "below three" in caveat]
    assert [caveat.startswith(f"Confirmed on {results}:") for caveat in few] == [True] * bool(
        results
    )


def test_inheriting_arms_are_compared_under_every_matching() -> None:
    plan = make_plan(budgets=(0.25,), matchings=("scratch_e", "scratch_b"))
    report = analyse(plan, run(plan, noisy({"thin": 0.93, "pruned": 0.94})))
    assert [v.matching for v in report.verdicts] == ["scratch_e", "scratch_b"]
    first, second = (v.arms for v in report.verdicts)
    assert first["pruned"] == second["pruned"]
    assert first["thin"] != second["thin"]


def test_a_failed_dense_network_closes_the_seeds_that_start_from_it() -> None:
    plan = make_plan(budgets=(0.25,))
    records = run(plan, noisy({"thin": 0.93, "pruned": 0.94}))
    seed = confirm_seed(0, 2)
    keep = {
        k: r for k, r in records.items()
        if not (r.seed == seed and (r.phase == "dense" or r.arm == "pruned"))
    }  # fmt: skip
    lost = record(plan, "dense", None, seed, status="failed", error="killed")
    arm = analyse(plan, {**keep, lost.key: lost}).verdicts[0].arms["pruned"]
    assert arm.pending == 0
    assert [loss.error for loss in arm.lost] == [
        "the dense network (seed 1002) ended as failed: killed"
    ]


@pytest.mark.parametrize("gap", [0.0, 0.002, 0.003])
def test_equivalence_is_two_one_sided_tests(gap: float) -> None:
    rng = np.random.default_rng(1)
    a, b = rng.normal(0.9 + gap, 0.0006, 8), rng.normal(0.9, 0.0006, 8)
    below = stats.ttest_ind(a, b - 0.002, equal_var=False, alternative="greater").pvalue
    above = stats.ttest_ind(a, b + 0.002, equal_var=False, alternative="less").pvalue
    measured = welch(a.tolist(), b.tolist())
    assert measured is not None
    verdict = decide(measured, measured.p, family=3, margin=0.002).verdict
    assert (verdict == "equivalent") == (max(below, above) < ALPHA / 3)
    assert (verdict == "equivalent") == (gap == 0.0)
