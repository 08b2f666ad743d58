"""Verdicts after shorter searches: what is kept, what it loses, and which verdicts turn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from prunetune.agenda import Agenda, Trials
from prunetune.analysis.evidence.compared import compared_studies
from prunetune.analysis.evidence.search_cuts import SearchCut, equal_search_macs, half_of_trials
from prunetune.analysis.report import analyse
from prunetune.config.space.space import Space
from prunetune.plan import Plan
from prunetune.records.record import Record, TrainMacs
from tests.analysis.sweeps import make_plan, noisy, run

ARMS = {"thin": "width_scaling", "pruned": "channel_pruning"}
EARLY, LATE = (0.9, 0.8, 0.7, 0.6), (0.6, 0.7, 0.8, 0.9)
"""Validation accuracies of a search that has its best trial first, or last."""


def sweep(
    values: Mapping[str, Sequence[float]],
    costs: Mapping[str, int],
    lead: float = 0.02,
    replicates: int = 1,
) -> tuple[Plan, dict[str, Record]]:
    """Pruned leads by `lead`; each arm's trials have these accuracies and cost so many MACs."""
    plan = make_plan(ARMS, (0.5, 0.25), seeds=5, replicates=replicates)
    made = run(plan, noisy({"thin": 0.9, "pruned": 0.9 + lead}, spread=0.0005))
    numbers = {arm: max(range(4), key=values[arm].__getitem__) for arm in ARMS}

    def changed(r: Record) -> Record:
        if r.phase == "confirm":
            return r.model_copy(update={"number": numbers[r.arm or ""]})
        if r.phase == "search":
            update = {
                "val_acc1": values[r.arm or ""][r.number or 0],
                "train_macs": TrainMacs(spent=costs[r.arm or ""]),
            }
            return r.model_copy(update=update)
        return r

    return plan, {key: changed(r) for key, r in made.items()}


def cuts_of(plan: Plan, records: dict[str, Record]) -> dict[str, dict[str, SearchCut]]:
    agenda = Agenda(plan, Trials(records))
    place = next(compared_studies(plan))
    both = {"half": half_of_trials(agenda, place), "macs": equal_search_macs(agenda, place)}
    return {name: {cut.study: cut for cut in cuts} for name, cuts in both.items()}


def test_half_of_the_trials_are_the_first_ones() -> None:
    plan, records = sweep({"thin": EARLY, "pruned": LATE}, {"thin": 1, "pruned": 1})
    half = cuts_of(plan, records)["half"]
    thin, pruned = half["thin@0.5 scratch_b"], half["pruned@0.5"]
    assert (thin.kept, thin.trials, thin.winner, thin.loss) == (2, 4, 0, 0)
    assert (pruned.kept, pruned.winner) == (2, 1)
    assert pruned.loss == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("costs", "kept"),
    [
        ({"thin": 4, "pruned": 1}, (1, 4)),
        ({"thin": 2, "pruned": 1}, (2, 4)),
        ({"thin": 9, "pruned": 1}, (1, 4)),
    ],
)
def test_at_equal_macs_the_dearer_search_keeps_what_the_cheaper_one_paid_for(
    costs: dict[str, int], kept: tuple[int, int]
) -> None:
    plan, records = sweep({"thin": LATE, "pruned": LATE}, costs)
    macs = cuts_of(plan, records)["macs"]
    assert (macs["thin@0.5 scratch_b"].kept, macs["pruned@0.5"].kept) == kept


def test_a_verdict_that_rests_on_the_longer_search_turns() -> None:
    """Pruned found its recipe with its last trial, and each of its trials cost four of thin's."""
    plan, records = sweep({"thin": EARLY, "pruned": LATE}, {"thin": 1, "pruned": 4})
    report = analyse(plan, records)
    assert {v.winner for v in report.verdicts} == {"pruned"}
    for second in report.second_verdicts:
        assert {v.winner for v in second.verdicts} == {"thin"}
        assert '"recipe of pruned wins" becomes "recipe of thin wins"' in second.sentence
        assert len(second.changes) == len(report.verdicts) + len(report.frontiers)


@pytest.mark.parametrize("replicates", [1, 3])
def test_a_verdict_that_rests_on_the_arms_stays(replicates: int) -> None:
    plan, records = sweep(
        {"thin": EARLY, "pruned": EARLY}, {"thin": 4, "pruned": 1}, replicates=replicates
    )
    report = analyse(plan, records)
    first = [(v.budget, v.verdict, v.winner, v.difference) for v in report.verdicts]
    assert [second.name for second in report.second_verdicts] == [
        "equal search MACs", "half of the trials",
    ]  # fmt: skip
    for second in report.second_verdicts:
        assert second.changes == ()
        assert "no verdict changes" in second.sentence
        assert [(v.budget, v.verdict, v.winner, v.difference) for v in second.verdicts] == first


def test_an_arm_that_has_no_recipe_yet_has_no_verdict() -> None:
    plan, records = sweep({"thin": EARLY, "pruned": LATE}, {"thin": 1, "pruned": 1})
    lost = {
        key: r.model_copy(update={"status": "failed"})
        if r.arm == "pruned" and r.phase == "search" and (r.number or 0) < 2
        else r
        for key, r in records.items()
    }
    half = analyse(plan, lost).second_verdicts[1]
    assert {v.verdict for v in half.verdicts} == {"undecided"}
    assert {cut.loss for cut in half.cuts if cut.study.startswith("pruned")} == {None}


def test_equal_costs_need_no_second_verdict_and_nothing_searched_has_none() -> None:
    plan, records = sweep({"thin": EARLY, "pruned": EARLY}, {"thin": 1, "pruned": 1})
    equal = analyse(plan, records).second_verdicts[0]
    assert equal.sentence.startswith("All searches spent about the same MACs")
    assert equal.changes == ()
    fixed = tuple(s.model_copy(update={"space": Space()}) for s in plan.studies)
    assert analyse(plan.model_copy(update={"studies": fixed}), records).second_verdicts == ()
