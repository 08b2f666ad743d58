"""Planned looks: seeds go to open pairs alone, in any order of events and after any crash."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping

import pytest

from prunetune.agenda import Finished, counts, due
from prunetune.agenda.looks import Progress, progress_of, seeds_due
from prunetune.plan import Comparison, Plan
from prunetune.records.record import Record, TrialSpec
from prunetune.registration import Look, Registration
from prunetune.statistics.sequential import after_looks
from tests.agenda.simulated import Sweep, ended, plan
from tests.agenda.test_agenda_due import check_done, unreliable

LOOKS = (3, 5, 8)
LEVELS = (0.005, 0.003, 0.008)


def looking(**shape: object) -> Plan:
    """A plan with looks, whose family is all pairs of arms at each budget."""
    base = plan(**{"seeds": LOOKS[-1], "arms": ("thin", "pruned", "reinit"), **shape})  # type: ignore[arg-type]
    arms = base.arms()
    family = tuple(
        Comparison(budget=budget, matching="scratch_b", a=a, b=b)
        for budget in base.budgets()
        for i, a in enumerate(arms)
        for b in arms[i + 1 :]
    )
    looks = tuple(Look(seeds=n, level=p) for n, p in zip(LOOKS, LEVELS, strict=True))
    return base.model_copy(update={"family": family, "registration": Registration(looks=looks)})


def accurate(means: Mapping[str, float], spread: float) -> Callable[[TrialSpec], Record]:
    """Trials that end with the accuracy of their arm, and noise that follows from the seed."""

    def end(spec: TrialSpec) -> Record:
        if spec.phase != "confirm" or spec.arm is None:
            return ended(spec)
        noise = random.Random(f"{spec.arm} {spec.budget} {spec.seed}").gauss(0, spread)
        return ended(spec, test_acc1=means[spec.arm] + noise)

    return end


FAR = {"thin": 0.9, "pruned": 0.5, "reinit": 0.5}


def confirmed(sweep: Sweep) -> dict[str, int]:
    return {s.id: len(sweep.agenda.outcome(s).confirms) for s in sweep.plan.studies}


def test_arms_of_an_open_pair_get_the_seeds_of_the_next_look_and_others_do_not():
    """At 50 % pruned and reinit cannot be told apart; thin is far from both after three seeds."""
    sweep = Sweep(looking(budgets=(0.5,)), end=accurate(FAR, 0.02), slots=2).run()
    assert confirmed(sweep) == {"thin@0.5 scratch_b": 3, "pruned@0.5": 8, "reinit@0.5 scratch_b": 8}
    dense = [r for r in sweep.records.values() if r.phase == "dense" and r.seed >= 1000]
    assert len(dense) == 8, "one for each seed of the pruned arm"


def test_a_sweep_whose_pairs_are_decided_at_the_first_look_ends_there():
    apart = {"thin": 0.9, "pruned": 0.5, "reinit": 0.1}
    sweep = Sweep(looking(), end=accurate(apart, 0.003)).run()
    assert set(confirmed(sweep).values()) == {LOOKS[0]}
    assert len(sweep.records) == counts(sweep.plan, LOOKS[0]).total.total


def test_a_sweep_whose_pairs_stay_open_uses_every_seed():
    sweep = Sweep(looking(budgets=(0.5,)), end=accurate(dict.fromkeys(FAR, 0.5), 0.1)).run()
    assert set(confirmed(sweep).values()) == {LOOKS[-1]}
    assert len(sweep.records) == counts(sweep.plan).total.total


def test_a_source_gets_the_seeds_of_what_trains_its_architectures():
    """thin and reinit are alike; pruned is far from both, but lends its shapes to reinit."""
    means = {"thin": 0.9, "pruned": 0.5, "reinit": 0.9}
    sweep = Sweep(looking(budgets=(0.5,)), end=accurate(means, 0.02)).run()
    assert set(confirmed(sweep).values()) == {LOOKS[-1]}


@pytest.mark.parametrize("seed", range(6))
def test_the_seeds_depend_neither_on_the_order_of_events_nor_on_crashes(seed: int):
    end = accurate({"thin": 0.52, "pruned": 0.5, "reinit": 0.45}, 0.02)
    straight = Sweep(looking(), end=end, slots=1).run()
    other = Sweep(looking(), end=end, slots=1 + seed, seed=seed, crash=0.1 * (seed % 3)).run()
    assert confirmed(other) == confirmed(straight)
    kept = {k: r for k, r in other.records.items() if int(k, 16) % 2 or r.phase != "confirm"}
    again = Sweep(other.plan, end=end, records=kept, dealt=other.dealt).run()
    assert again.records.keys() == other.records.keys()


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("shape", [{}, {"fresh": False}, {"trials": 0}, {"top": 2}], ids=str)
def test_a_sweep_with_looks_ends_whatever_fails(shape: dict, seed: int):
    sweep = Sweep(
        looking(**shape), seed=seed, slots=1 + seed, end=unreliable(seed, 0.15 * seed), crash=0.1
    ).run()
    assert isinstance(due(sweep.agenda), Finished)
    check_done(sweep)
    for study in sweep.plan.studies:
        assert len(sweep.agenda.confirming(study).jobs) in LOOKS


@pytest.mark.parametrize("seed", range(20))
def test_a_study_gets_seeds_while_one_of_its_pairs_is_open(seed: int):
    """Against brute force: each pair by itself, then the most over the pairs and the heirs."""
    rng = random.Random(seed)
    base = looking(budgets=(0.5,))
    progress = {
        study.id: Progress(
            {j: rng.gauss(rng.choice((0.5, 0.6)), 0.01) for j in range(8)}, rng.randint(0, 8), False
        )
        for study in base.studies
    }
    due_now = seeds_due(base, progress)
    ids = {study.arm: study.id for study in base.studies}
    looks = list(zip(LOOKS, LEVELS, strict=True))
    wanted = dict.fromkeys(ids.values(), LOOKS[0])
    for pair in base.family:
        a, b = progress[ids[pair.a]], progress[ids[pair.b]]
        for i, (reached, _) in enumerate(looks):
            if min(a.ended, b.ended) < reached:
                break
            state = after_looks(a.values, b.values, looks, i + 1, 0.002, 0.1)
            if state.decided:
                break
        for arm in (pair.a, pair.b):
            wanted[ids[arm]] = max(wanted[ids[arm]], reached)
    wanted[ids["pruned"]] = max(wanted[ids["pruned"]], wanted[ids["reinit"]])
    assert due_now == wanted


def test_a_pair_of_which_one_arm_has_no_winner_gets_no_more_seeds():
    def end(spec: TrialSpec) -> Record:
        failed = spec.arm == "thin" and spec.phase == "search"
        return ended(spec, "failed") if failed else accurate(FAR, 0.0001)(spec)

    sweep = Sweep(looking(budgets=(0.5,), arms=("thin", "pruned")), end=end).run()
    assert confirmed(sweep) == {"thin@0.5 scratch_b": 0, "pruned@0.5": 3}
    assert progress_of(sweep.agenda.confirming(sweep.plan.studies[0]).jobs).hopeless
