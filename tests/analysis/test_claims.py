"""What verdicts may be said of: of arms only where the error holds the luck that arms have."""

from __future__ import annotations

from typing import Any

import pytest

from prunetune.analysis.report import Report, analyse
from prunetune.config.space.space import Constant, Dimension, Space
from prunetune.plan import Plan
from prunetune.records.record import Record
from prunetune.records.seeds import confirm_seed
from tests.analysis.sweeps import make_plan, noisy, record, run

ARMS = {"thin": "width_scaling", "pruned": "channel_pruning"}
APART = {"thin": 0.90, "pruned": 0.94}
FIVE = (0.8, 0.5, 0.3, 0.2, 0.1)


def report_of(plan: Plan, means: dict[str, float], spread: float = 0.0008) -> Report:
    return analyse(plan, run(plan, noisy(means, spread)))


def stated(plan: Plan) -> Plan:
    """The same sweep with one fixed recipe for each arm."""
    space = Space(dimensions=(Dimension(path="recipe.optimizer", domain=Constant(value="sgd")),))
    studies = tuple(s.model_copy(update={"space": space}) for s in plan.studies)
    return plan.model_copy(update={"studies": studies})


def loaded(plan: Plan) -> Plan:
    """The same sweep with a dense network that is loaded and shared."""
    dense = plan.dense.model_copy(update={"source": "checkpoint"})
    return plan.model_copy(update={"dense": dense, "dense_fresh": False})


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        (make_plan(budgets=(0.25,)), "the recipe found for pruned beats that found for thin"),
        (make_plan(budgets=(0.25,), replicates=3), "pruned beats thin"),
        (stated(make_plan(budgets=(0.25,))), "with the recipes of the sweep file, pruned beats"),
        (
            loaded(make_plan(budgets=(0.25,), replicates=3)),
            "the recipe found for pruned beats that found for thin on this dense network",
        ),
        (
            loaded(stated(make_plan(budgets=(0.25,)))),
            "with the recipes of the sweep file, pruned beats thin on this dense network",
        ),
        (
            make_plan(budgets=(0.25,), replicates=4, seeds=3, fresh=False),  # one a search: four
            "pruned beats thin",
        ),
    ],
)
def test_a_win_is_said_of_what_its_error_holds(plan: Plan, words: str) -> None:
    report = report_of(plan, APART)
    (sentence,) = report.sentences
    start = "On these 10000 test images, "  # outputs are not kept
    assert sentence.startswith(start + words)
    assert report.answer.startswith(start + words)


def test_settled_pairs_are_worded_as_carefully_as_wins() -> None:
    arms = {"a": "width_scaling", "b": "width_scaling", "c": "width_scaling"}
    plan = make_plan(arms, (0.25,), seeds=6)
    report = report_of(plan, {"a": 0.94, "b": 0.94, "c": 0.80})
    assert report.verdicts[0].verdict == "undecided"
    (sentence,) = report.sentences
    assert "the recipe found for a beats that found for c by" in sentence
    assert "a beats c" not in sentence


def test_over_four_budgets_one_search_each_speaks_of_the_arms() -> None:
    report = report_of(make_plan(budgets=FIVE), APART)
    (frontier,) = report.frontiers
    assert (frontier.form, frontier.subject, frontier.winner) == ("searched", "arms", "pruned")
    assert frontier.area == pytest.approx(-0.04, abs=0.001)
    assert frontier.searches == 5
    (sentence,) = report.frontier_sentences
    assert "over 5 budgets and on these 10000 test images, pruned beats thin" in sentence.lower()
    assert "5 independent searches an arm and 5 dense networks" in sentence
    assert all(s.count("the recipe found for pruned beats that") == 1 for s in report.sentences)


def test_over_three_budgets_one_search_each_speaks_of_recipes() -> None:
    report = report_of(make_plan(budgets=(0.5, 0.3, 0.2)), APART)
    assert report.frontiers == ()
    assert any(
        "1 search a study and 3 budgets: nothing can be said of the arms" in caveat
        for caveat in report.limits
    )


def test_a_frontier_on_one_dense_network_is_said_of_recipes_on_it() -> None:
    report = report_of(loaded(make_plan(budgets=FIVE)), APART)
    (sentence,) = report.frontier_sentences
    assert "the recipe found for pruned beats that found for thin on this dense network" in sentence


def test_arms_without_a_dense_network_need_none() -> None:
    arms = {"a": "width_scaling", "b": "width_scaling"}
    report = report_of(loaded(make_plan(arms, FIVE)), {"a": 0.94, "b": 0.90})
    assert report.frontiers[0].dense_networks is None
    assert report.frontiers[0].subject == "arms"


def test_a_reinitialised_shape_depends_on_the_dense_network_that_it_was_found_on() -> None:
    arms = {"thin": "width_scaling", "pruned": "channel_pruning", "reinit": "reinit"}
    report = report_of(loaded(make_plan(arms, FIVE)), {"thin": 0.94, "pruned": 0.9, "reinit": 0.9})
    assert {f.dense_networks for f in report.frontiers} == {1}


@pytest.mark.parametrize(("replicates", "seeds"), [(1, 2), (2, 5)])
def test_fewer_than_three_independent_values_decide_nothing(replicates: int, seeds: int) -> None:
    plan = make_plan(budgets=(0.25,), replicates=replicates, seeds=seeds)
    report = report_of(plan, {"thin": 0.5, "pruned": 0.95}, 1e-4)
    assert report.verdicts[0].verdict == "undecided"
    assert "3 are the fewest that can decide" in report.sentences[0]


def with_ends(plan: Plan, records: dict[str, Record], count: int, **end: Any) -> dict[str, Record]:
    """The sweep, in which the first confirm seeds of `pruned` ended otherwise."""
    lost = {confirm_seed(0, j) for j in range(count)}
    return {
        key: r.model_copy(update=end)
        if r.arm == "pruned" and r.phase == "confirm" and r.seed in lost
        else r
        for key, r in records.items()
    }


def test_failed_seeds_put_a_reservation_on_a_win() -> None:
    plan = make_plan(budgets=(0.25,), seeds=6)
    records = run(plan, noisy(APART, 0.0008))
    end = {"status": "failed", "test_acc1": None, "error": "out of memory"}
    report = analyse(plan, with_ends(plan, records, 1, **end))
    assert report.verdicts[0].winner == "pruned"
    expected = "1 confirm seed of pruned@0.25 was lost and left out of the mean (out of memory)."
    assert expected in report.sentences[0]
    assert expected.split(" (")[0] not in analyse(plan, records).sentences[0]
    assert "pruned@0.25: 1 confirm seed without a result (failed)." in (
        report.preregistration.deviations
    )


@pytest.mark.parametrize("count", [1, 3, 5])
def test_collapsed_seeds_are_seen_however_many_they_are(count: int) -> None:
    plan = make_plan(budgets=(0.25,))
    records = run(plan, noisy({"thin": 0.93, "pruned": 0.93}))
    arm = analyse(plan, with_ends(plan, records, count, test_acc1=0.1)).verdicts[0].arms["pruned"]
    assert [loss.status for loss in arm.lost] == ["collapsed"] * count
    assert arm.n == 5


def test_a_low_accuracy_that_the_search_reached_too_is_no_collapse() -> None:
    plan = make_plan(budgets=(0.25,))
    low = {
        key: r.model_copy(update={"val_acc1": 0.31}) if r.phase == "search" else r
        for key, r in run(plan, noisy({"thin": 0.34, "pruned": 0.34})).items()
    }
    assert not any(arm.lost for arm in analyse(plan, low).verdicts[0].arms.values())


def test_inheriting_arms_are_compared_once_for_all_matchings() -> None:
    arms = {**ARMS, "random": "channel_pruning"}
    plan = make_plan(arms, (0.5, 0.25), matchings=("scratch_e", "scratch_b"))
    inheriting = [m for m in plan.family if {m.a, m.b} == {"pruned", "random"}]
    assert [(m.budget, m.matching) for m in inheriting] == [(0.5, None), (0.25, None)]
    assert len(plan.family) == 2 + 2 * 2 * 2
    verdicts = report_of(plan, {**APART, "random": 0.92}).verdicts
    assert {v.matching for v in verdicts} == {"scratch_e", "scratch_b"}
    assert all(len(v.pairs) == 3 for v in verdicts)


def test_a_sweep_is_never_settled_by_a_record_of_a_failed_dense_network() -> None:
    plan = make_plan(budgets=(0.25,), seeds=3)
    records = run(plan, noisy(APART))
    lost = record(plan, "dense", None, confirm_seed(0, 0), status="failed", error="killed")
    kept = {k: r for k, r in records.items() if r.seed != confirm_seed(0, 0) or r.arm == "thin"}
    report = analyse(plan, {**kept, lost.key: lost})
    assert report.verdicts[0].verdict == "undecided"
