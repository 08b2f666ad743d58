"""What a plan can show is that of the tests that will judge it."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from prunetune.agenda import Agenda, Trials
from prunetune.analysis.evidence.confirmed import confirmed_studies
from prunetune.analysis.evidence.samples import contests
from prunetune.analysis.verdicts.comparisons import compare
from prunetune.analysis.verdicts.prospect_sentences import prospect_sentences
from prunetune.analysis.verdicts.prospects import Prospect, prospects
from prunetune.plan import Plan
from prunetune.statistics.designs import SEED_SPREAD
from tests.analysis.sweeps import make_plan, noisy, run

FIVE = (0.8, 0.5, 0.3, 0.2, 0.1)
THREE = {"a": "width_scaling", "b": "width_scaling", "c": "width_scaling"}


def by_test(plan: Plan) -> dict[str, Prospect]:
    return {each.test: each for each in prospects(plan)}


def test_more_seeds_detect_less_and_make_equivalence_likelier() -> None:
    known = [by_test(make_plan(budgets=(0.25,), seeds=n)) for n in (3, 5, 10, 20)]
    for fewer, more in pairwise(known):
        assert more["budget"].detectable < fewer["budget"].detectable
        assert (more["budget"].equivalent or 0) >= (fewer["budget"].equivalent or 0)
        assert (more["budget"].margin or 0) < (fewer["budget"].margin or 0)


def test_a_plan_has_the_tests_that_it_states() -> None:
    assert by_test(make_plan(budgets=(0.25,))).keys() == {"budget"}
    assert by_test(make_plan(budgets=FIVE)).keys() == {"frontier", "change", "budget"}
    assert by_test(make_plan(budgets=(0.25,), seeds=8)).keys() == {"budget", "paired budget"}
    assert by_test(make_plan(THREE, (0.25,))).keys() == {"budget", "beats all"}
    assert by_test(make_plan(confirm={"looks": [3, 5, 8]})).keys() == {"looks"}
    assert by_test(make_plan(budgets=(0.25,), seeds=2)) == {}
    assert by_test(make_plan(budgets=(0.25,), replicates=2)) == {}


def test_to_beat_all_others_is_harder_than_to_beat_one() -> None:
    known = by_test(make_plan(THREE, (0.25,)))
    assert known["beats all"].detectable > known["budget"].detectable


@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_the_difference_that_is_stated_is_found_in_four_of_five_sweeps(seeds: int) -> None:
    """Through the verdicts themselves, at one budget and two arms."""
    plan = make_plan({"a": "width_scaling", "b": "width_scaling"}, (0.25,), seeds=seeds)
    records = run(plan, noisy({"a": 0.9, "b": 0.9}))
    (contest,) = contests(plan, confirmed_studies(Agenda(plan, Trials(records))))
    gap, sweeps, found = by_test(plan)["budget"].detectable, 600, 0
    rng = np.random.default_rng(seeds)
    for _ in range(sweeps):
        drawn = rng.normal([[0.9], [0.9 + gap]], SEED_SPREAD, (2, seeds))
        samples = {
            arm: replace(sample, values=dict(zip(sample.values, values, strict=True)))
            for (arm, sample), values in zip(contest.samples.items(), drawn.tolist(), strict=True)
        }
        (pair,) = compare(plan, [replace(contest, samples=samples)]).pairs.values()
        found += pair.winner == "b"
    assert abs(found / sweeps - 0.8) < 3.5 * (0.8 * 0.2 / sweeps) ** 0.5


def test_sentences_say_what_will_be_found_and_spoken_of() -> None:
    plan = make_plan(budgets=FIVE)
    known = prospects(plan)
    text = " ".join(prospect_sentences(plan, known))
    for each in known:
        assert f"{100 * each.detectable:.2f} points" in text
    assert "once the frontiers of the two arms are decided" in text
    assert "Verdicts at single budgets will be about the recipes found" in text
    replicated = make_plan(budgets=FIVE, replicates=3)
    assert "recipes found" not in " ".join(prospect_sentences(replicated, prospects(replicated)))
    few = make_plan(budgets=(0.25,), seeds=2)
    (nothing,) = prospect_sentences(few, prospects(few))
    assert nothing.startswith("Nothing can be decided")
