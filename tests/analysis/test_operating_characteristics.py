"""Simulated sweeps through our own selection and verdicts: how often are winners named?

A short form of experiments/benchmarks/operating_characteristics.py. Seeds are fixed.
"""

from __future__ import annotations

import pytest

from prunetune.analysis.verdicts.prospects import prospects
from tests.analysis.simulated import POINT, Design, Simulator, World

LIMIT = 0.06


@pytest.mark.slow
@pytest.mark.parametrize(
    ("design", "world"),
    [
        (Design(budgets=4), World()),
        (Design(), World(dense=0.4)),
        (Design(seeds=10), World()),
        (Design(budgets=8, arms=2), World(growth=3.6)),
        (Design(replicates=2, seeds=3), World()),
        (Design(budgets=3, replicates=3, seeds=3), World()),
        (Design(replicates=3, seeds=3, fresh=False), World(dense=0.3)),
    ],
    ids=lambda x: str(x) if isinstance(x, Design) else "",
)
def test_equal_arms_win_anywhere_in_five_per_cent(design: Design, world: World) -> None:
    simulator, sweeps = Simulator(design, world, seed=1), 400 // (1 + design.replicates)
    judged = [simulator.judged() for _ in range(sweeps)]
    assert sum(j.of_arms for j in judged) / sweeps <= LIMIT
    subjects = {f.subject for j in judged for f in j.judgements.frontiers}
    subjects |= {v.claim.subject for j in judged for v in j.verdicts if design.budgets == 3}
    assert subjects == {"arms"}  # so nothing was worded away


@pytest.mark.slow
def test_seeds_of_one_search_name_recipes_and_never_arms() -> None:
    """Equal arms: some recipe beats another at some budget in half of all sweeps."""
    simulator, sweeps = Simulator(Design(budgets=3), World(), seed=2), 250
    judged = [simulator.judged() for _ in range(sweeps)]
    assert 0.4 < sum(j.pair_wins for j in judged) / sweeps < 0.7
    assert not any(j.of_arms for j in judged)


@pytest.mark.slow
@pytest.mark.parametrize("budgets", [3, 5])
def test_fixed_recipes_keep_the_level(budgets: int) -> None:
    simulator, sweeps = Simulator(Design(budgets=budgets, searched=False), World(), seed=3), 200
    judged = [simulator.judged() for _ in range(sweeps)]
    assert sum(j.anything for j in judged) / sweeps <= LIMIT
    assert not any(j.of_arms for j in judged)


@pytest.mark.slow
def test_looks_keep_the_level_and_save_seeds() -> None:
    """The level itself is tested on plain numbers (tests/statistics/test_looks.py)."""
    looks = Design(arms=2, budgets=3, searched=False, seeds=12, looks=(3, 5, 8, 12))
    equal, sweeps = Simulator(looks, World(), seed=4), 300
    three_errors = 3 * (0.05 * 0.95 / sweeps) ** 0.5
    assert sum(equal.judged().pair_wins for _ in range(sweeps)) / sweeps <= 0.05 + three_errors
    apart = Simulator(looks, World(ahead={"thin": (0.8,) * 3}), seed=5)
    pairs = [p for _ in range(50) for p in apart.judged().judgements.pairs.values()]
    assert all(p.winner == "thin" for p in pairs)
    assert sum(p.look or 0 for p in pairs) / len(pairs) < 8


@pytest.mark.slow
@pytest.mark.parametrize(
    "design",
    [
        Design(),
        Design(searched=False),
        Design(replicates=2, seeds=3),
        Design(replicates=3, seeds=3, fresh=False),
    ],
)
def test_a_plan_detects_over_the_frontier_what_it_says(design: Design) -> None:
    said = next(p for p in prospects(design.plan()) if p.test == "frontier")
    points = said.detectable / POINT
    world = World(ahead={"thin": (points,) * design.budgets})
    simulator, sweeps = Simulator(design, world, seed=9), 200
    first = [simulator.judged().judgements.frontiers[0] for _ in range(sweeps)]
    assert {(f.a, f.b) for f in first} == {("thin", "pruned")}
    assert sum(f.winner == "thin" for f in first) / sweeps == pytest.approx(0.8, abs=0.08)


def test_a_real_difference_is_found_over_the_frontier() -> None:
    ahead = World(ahead={"thin": (1.2,) * 5})
    simulator = Simulator(Design(), ahead, seed=6)
    for judged in (simulator.judged() for _ in range(10)):
        winners = {f.winner for f in judged.judgements.frontiers if "thin" in (f.a, f.b)}
        assert winners <= {"thin", None}
        assert "thin" in winners


def test_dense_networks_that_budgets_share_are_judged_by_whole_searches() -> None:
    forms = {
        fresh: {
            (f.a, f.b): f.form
            for f in Simulator(Design(replicates=3, seeds=3, fresh=fresh), World(), 7)
            .judged()
            .judgements.frontiers
        }
        for fresh in (True, False)
    }
    assert set(forms[True].values()) == {"searched"}
    assert set(forms[False].values()) == {"repeated"}  # every pair has an arm that starts there
    two = Simulator(Design(replicates=3, seeds=3, fresh=False), World(dense=0.5), 8).judged()
    assert {f.df <= 4 for f in two.judgements.frontiers if f.df} == {True}  # of 3 searches an arm
