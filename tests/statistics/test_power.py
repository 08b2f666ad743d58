"""What designs detect: against simulation of the test, closed forms and published numbers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special
from scipy.stats import norm, ttest_ind, ttest_rel

from prunetune.statistics.contrasts import Contrast, welch
from prunetune.statistics.designs import (
    fixed_design,
    paired_design,
    rivals_design,
    searched_design,
    welch_design,
)
from prunetune.statistics.enough import MOST, units_to_equivalence, units_to_win
from prunetune.statistics.frontier import fixed_frontier, frontier_moments
from prunetune.statistics.intervals import ALPHA
from prunetune.statistics.power import (
    POWER,
    detectable,
    detectable_margin,
    outlook,
    power_at,
)

SWEEPS = 20_000
LOG_MACS = tuple(np.log([0.5, 0.39, 0.25, 0.125, 0.06]))


@pytest.mark.parametrize("n", [3, 5])
@pytest.mark.parametrize("m", [1, 9])
def test_welch_finds_what_it_is_said_to_find(n: int, m: int) -> None:
    effect = detectable(welch_design(n, 1.0, 1.0), ALPHA / m)
    a, b = np.random.default_rng(0).normal(size=(2, SWEEPS, n))
    p = ttest_ind(a + effect, b, axis=1, equal_var=False).pvalue
    assert (p <= ALPHA / m).mean() == pytest.approx(POWER, abs=0.015)


@pytest.mark.parametrize("correlation", [0.0, 0.8])
def test_pairs_find_what_they_are_said_to_find(correlation: float) -> None:
    n = 5
    effect = detectable(paired_design(n, 1.0, correlation), ALPHA)
    rng = np.random.default_rng(0)
    block = rng.normal(0, correlation**0.5, (SWEEPS, n))
    a, b = block + rng.normal(0, (1 - correlation) ** 0.5, (2, SWEEPS, n))
    p = ttest_rel(a + effect, b, axis=1).pvalue
    assert (p <= ALPHA).mean() == pytest.approx(POWER, abs=0.015)


def test_pairs_pay_only_where_they_correlate() -> None:
    """In a family of nine: above about .69 with three seeds, .45 with five, .22 with ten."""
    level = ALPHA / 9
    for n, threshold in ((3, 0.69), (5, 0.45), (10, 0.22)):
        unpaired = detectable(welch_design(n), level)
        assert detectable(paired_design(n, correlation=threshold + 0.08), level) < unpaired
        assert detectable(paired_design(n, correlation=threshold - 0.08), level) > unpaired


def test_many_seeds_approach_the_normal_formula() -> None:
    n = 5_000
    normal = (norm.ppf(1 - ALPHA / 2) + norm.ppf(POWER)) * (2 / n) ** 0.5
    assert detectable(welch_design(n, 1.0, 1.0), ALPHA) == pytest.approx(normal, rel=0.02)
    margin = (norm.ppf(1 - ALPHA) + norm.ppf((1 + POWER) / 2)) * (2 / n) ** 0.5
    assert detectable_margin(welch_design(n, 1.0, 1.0), ALPHA) == pytest.approx(margin, rel=0.02)


def test_to_beat_all_others_takes_more_than_to_beat_one() -> None:
    one = detectable(welch_design(5), ALPHA / 3)
    assert detectable(rivals_design(5, 1), ALPHA / 3) == pytest.approx(one, rel=0.02)
    two, three = (detectable(rivals_design(5, k), ALPHA / 3) for k in (2, 3))
    assert one < two < three
    a, b, c = np.random.default_rng(0).normal(0, 0.002, (3, SWEEPS, 5))
    ps = [ttest_ind(a + two, x, axis=1, equal_var=False).pvalue for x in (b, c)]
    assert (np.maximum(*ps) <= ALPHA / 3).mean() == pytest.approx(POWER, abs=0.015)


def test_power_and_detectable_are_inverse() -> None:
    design = welch_design(4)
    assert power_at(design, detectable(design, 0.01), 0.01) == pytest.approx(POWER, abs=1e-3)
    assert detectable(welch_design(3), 0.05) > detectable(welch_design(5), 0.05)
    assert detectable(welch_design(5), 0.05 / 4) > detectable(welch_design(5), 0.05)


@pytest.mark.parametrize(
    ("n", "m", "equivalent"),
    [(5, 1, 0.018), (20, 1, 0.74), (30, 1, 0.93), (20, 9, 0.21), (30, 9, 0.68)],
)
def test_equivalence_of_equal_arms_with_half_of_the_level(
    n: int, m: int, equivalent: float
) -> None:
    """Numbers of an earlier simulation, whose one-sided tests were at alpha / 2m."""
    found = outlook(welch_design(n), margin=0.002, level=ALPHA / m / 2)
    assert found.equivalent == pytest.approx(equivalent, abs=0.015)
    whole = outlook(welch_design(n), margin=0.002, level=ALPHA / m)
    assert whole.equivalent > found.equivalent
    assert sum(whole) == pytest.approx(1)
    assert whole.wins <= ALPHA / m + 0.005


@pytest.mark.parametrize("kind", ["searched", "fixed"])
def test_the_frontier_finds_what_it_is_said_to_find(kind: str) -> None:
    rng, n, sweeps = np.random.default_rng(1), 5, 4_000
    searched = kind == "searched"
    shape = (sweeps, 1, n, len(LOG_MACS))
    a, b = (
        rng.normal(0, 0.00185 * searched, (sweeps, 1, 1, len(LOG_MACS)))
        + rng.normal(0, 0.002, shape)
        for _ in range(2)
    )
    b = b + rng.normal(0, 0.001, (sweeps, 1, n, 1))
    z = np.array(LOG_MACS) - np.mean(LOG_MACS)
    area, tilt = searched_design(LOG_MACS, 1, n) if searched else fixed_design(LOG_MACS, n)
    gap, lean = detectable(area, ALPHA / 2), detectable(tilt, ALPHA / 2)
    a = a + gap + lean * z
    if searched:
        ps = [m.p() for m in frontier_moments(a.mean(-2) - b.mean(-2), a, b, np.array(LOG_MACS))]
    else:
        found = [
            fixed_frontier(x[0], y[0], LOG_MACS) for x, y in zip(a[:600], b[:600], strict=True)
        ]
        ps = [np.array([f.area.p for f in found if f]), np.array([f.tilt.p for f in found if f])]
    for p in ps:
        assert (p <= ALPHA / 2).mean() == pytest.approx(POWER, abs=0.02 if searched else 0.05)


def test_designs_are_the_same_each_time() -> None:
    first = detectable(welch_design(5), 0.01)
    welch_design.cache_clear()
    assert detectable(welch_design(5), 0.01) == first


@pytest.mark.parametrize("level", [0.05, 0.005])
def test_the_number_of_seeds_that_would_decide(level: float) -> None:
    rng = np.random.default_rng(2)
    a, b = rng.normal(0, 1, (2, 5))
    a, b = (x / x.std(ddof=1) - (x / x.std(ddof=1)).mean() for x in (a, b))
    contrast = welch((a + 1).tolist(), b.tolist())
    assert contrast is not None
    n = units_to_win(contrast, 5, level)
    assert n is not None
    assert power_at(welch_design(n, 1.0, 1.0), 1.0, level) == pytest.approx(POWER, abs=0.03)
    assert power_at(welch_design(n - 2, 1.0, 1.0), 1.0, level) < POWER
    assert units_to_win(contrast.model_copy(update={"difference": 5.0}), 5, level) == 5
    assert units_to_win(contrast.model_copy(update={"difference": 0.001}), 5, level) is None


def test_the_number_of_seeds_that_would_show_equivalence() -> None:
    contrast = Contrast(difference=0.0, error=(2 / 5) ** 0.5, df=8, n=5, paired=False)
    n = units_to_equivalence(contrast, 5, 0.05, margin=1.0)
    assert n is not None
    found = outlook(welch_design(n, 1.0, 1.0), 1.0, 0.05).equivalent
    assert found == pytest.approx(POWER, abs=0.03)
    assert outlook(welch_design(n - 2, 1.0, 1.0), 1.0, 0.05).equivalent < POWER
    apart = contrast.model_copy(update={"difference": 1.0})
    assert units_to_equivalence(apart, 5, 0.05, margin=1.0) is None
    assert units_to_equivalence(contrast, 5, 0.05, margin=1e-3) is None
    assert n < MOST


def test_searches_count_as_units_too() -> None:
    """One search at each of five budgets: twice the searches halve the variance."""
    contrast = Contrast(difference=0.002, error=0.0012, df=6.0, n=5, paired=False)
    searches = units_to_win(contrast, 1, ALPHA)
    assert searches is not None
    grown = contrast.model_copy(update={"error": 0.0012 / searches**0.5, "df": 6.0 * searches})
    shift, critical = 0.002 / grown.error, -special.stdtrit(grown.df, ALPHA / 2)
    assert special.nctdtr(grown.df, shift, critical) <= 1 - POWER
