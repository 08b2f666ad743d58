from __future__ import annotations

import random

import pytest

from prunetune.config.search import Asha
from prunetune.records.record import TrialSpec
from prunetune.tune.rungs import continues, rivals, rung, stop_at
from tests.agenda.simulated import Sweep, ended, plan, study

ASHA = Asha(reduction=3)
EPOCHS = 9
AT = 6


def until_rung(accuracy: float) -> tuple[float, ...]:
    """A curve that was higher before and has this accuracy at the rung."""
    return (*[0.9] * (AT - 1), accuracy)


def spec(**other) -> TrialSpec:
    facts = {"key": "k", "sweep": "s", "phase": "search", "study": "a", "number": 0, "seed": 0}
    rest = {"workload": {}, "dense_macs": 2, "dense_params": 1, "target_macs": 1, "tolerance": 0.01}
    return TrialSpec(**{**facts, **rest, "epochs": EPOCHS, **other})


def test_the_rung_is_the_first_epoch_at_two_thirds_of_all():
    for epochs in range(400):
        at = rung(epochs)
        if at is None:
            assert epochs < 3, "a stop would save an epoch"
            continue
        assert 3 * at >= 2 * epochs > 3 * (at - 1)
        assert at < epochs


def test_no_trial_of_a_small_study_is_stopped():
    for trials in range(1, 12):
        small = plan(trials=trials, early_stopping=ASHA)
        for planned in small.studies:
            assert small.stopping(planned) == (ASHA if trials >= 8 else None)


@pytest.mark.parametrize("reduction", [2, 3, 4])
def test_a_trial_goes_on_while_it_is_within_the_top(reduction):
    rng = random.Random(0)
    for _ in range(500):
        others = [rng.randrange(20) / 20 for _ in range(rng.randrange(15))]
        own = rng.randrange(20) / 20
        ranked = sorted([own, *others], reverse=True)
        top = ranked[: len(ranked) // reduction]
        expected = len(ranked) < reduction or own in top
        assert continues(own, others, reduction) == expected
        rng.shuffle(others)
        assert continues(own, others, reduction) == expected
        assert not expected or continues(own + 0.01, others, reduction)


def test_only_the_report_that_reaches_the_rung_is_judged():
    others = [until_rung(0.9)] * 5
    poor = (0.1,) * EPOCHS
    for known in range(EPOCHS):
        judged = stop_at(spec(), known, poor[: known + 1], others, ASHA)
        assert judged == (AT if known + 1 == AT else None)
    assert stop_at(spec(), 0, poor[:AT], others, ASHA) == AT, "epochs may come several at a time"
    assert stop_at(spec(), 0, poor[: AT + 2], others, ASHA) is None, (
        "it had passed before the restart"
    )
    assert stop_at(spec(run_on=True), 0, poor[: AT + 2], others, ASHA) == AT


@pytest.mark.parametrize("phase", ["dense", "rescore", "confirm"])
def test_only_the_search_is_judged(phase):
    others = [until_rung(0.9)] * 5
    assert stop_at(spec(phase=phase), AT - 1, until_rung(0.1), others, ASHA) is None
    assert stop_at(spec(), AT - 1, until_rung(0.1), others, None) is None


def test_curves_that_have_not_reached_the_rung_say_nothing():
    own = until_rung(0.5)
    short = [(0.9, 0.9), (0.9,) * (AT - 1), ()] * 9
    assert stop_at(spec(), AT - 1, own, [*short, until_rung(0.6)], ASHA) is None
    reached = [until_rung(0.6), until_rung(0.4)]
    assert stop_at(spec(), AT - 1, own, [*short, *reached], ASHA) == AT
    better_later = [until_rung(0.4), (*until_rung(0.4), 0.9)]
    assert stop_at(spec(), AT - 1, own, better_later, ASHA) is None


def test_rivals_are_the_other_trials_of_the_same_search_on_the_same_architecture():
    small = plan(studies=(study("pruned", 0.5, trials=3), study("reinit", 0.5, trials=3)))
    before = Sweep(small, seed=0).run()
    larger = plan(studies=(study("pruned", 0.5, trials=9), study("reinit", 0.5, trials=9)))
    after = Sweep(larger, seed=0, records=before.records, dealt=before.dealt)
    after.run()
    name = "reinit@0.5 scratch_b"
    searched = [s for s in after.order if s.study == name and s.phase == "search"]
    assert len(after.keys(name, "search")) > len(searched), "the winner of the source changed"
    own = searched[-1]
    live = {s.key: ended(s).accuracies[:2] for s in searched[:2]}
    records = {k: r for k, r in after.records.items() if k not in live}
    found = sorted(rivals(own, after.dealt, records, live.items()), key=len)
    assert [len(c) for c in found] == [2] * 2 + [6] * (len(searched) - 3)
    others = [s for s in searched if s.key != own.key]
    expected = [live.get(s.key) or after.records[s.key].accuracies for s in others]
    assert sorted(found, key=str) == sorted(expected, key=str)


@pytest.mark.parametrize("reduction", [2, 3])
def test_whoever_is_stopped_was_outside_the_top_of_what_had_arrived(reduction):
    rng = random.Random(reduction)
    asha = Asha(reduction=reduction)
    trials = {i: [rng.random() for _ in range(EPOCHS)] for i in range(30)}
    at = rung(EPOCHS)
    assert at is not None
    arrivals = [i for i in trials for _ in range(EPOCHS)]
    rng.shuffle(arrivals)
    done: dict[int, int] = dict.fromkeys(trials, 0)
    stopped: dict[int, list[int]] = {}
    for i in arrivals:
        if i in stopped or done[i] == EPOCHS:
            continue
        done[i] += 1
        others = [trials[j][: done[j]] for j in trials if j != i]
        if stop_at(spec(), done[i] - 1, trials[i][: done[i]], others, asha):
            stopped[i] = [j for j in trials if done[j] >= at]
    for i, reached in stopped.items():
        assert done[i] == at
        own = trials[i][at - 1]
        better = sum(trials[j][at - 1] > own for j in reached)
        assert better >= len(reached) // reduction
    best = max(trials, key=lambda i: trials[i][at - 1])
    assert best not in stopped
    assert len(stopped) >= len(trials) // 3
