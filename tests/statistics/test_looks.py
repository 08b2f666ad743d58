"""Planned looks and e-values: their size by raw simulation, and numbers of an earlier one."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, special, stats

from prunetune.statistics.evalue import e_value, paired_e, two_sample_e
from prunetune.statistics.intervals import ALPHA
from prunetune.statistics.looks import (
    detectable_by_looks,
    look_levels,
    looks_design,
    seeds_used,
)

LOOKS = (3, 5, 8, 12, 20)


@pytest.mark.parametrize(
    ("m", "shares"),
    [
        (1, (0.26, 0.16, 0.21, 0.30, 0.55)),
        (6, (0.33, 0.16, 0.21, 0.26, 0.49)),
        (15, (0.34, 0.16, 0.19, 0.25, 0.47)),
    ],
)
def test_levels_agree_with_an_earlier_simulation(m: int, shares: tuple[float, ...]) -> None:
    found = np.array(look_levels(LOOKS, ALPHA / m)) / (ALPHA / m)
    assert found == pytest.approx(shares, rel=0.09)


@pytest.mark.parametrize("pairs", [False, True])
@pytest.mark.parametrize("looks", [LOOKS, (5, 10)])
def test_all_looks_together_have_the_level(looks: tuple[int, ...], pairs: bool) -> None:
    sweeps = 40_000
    a, b = np.random.default_rng(3).normal(0, 1, (2, sweeps, looks[-1]))
    found = np.zeros(sweeps, dtype=bool)
    for n, level in zip(looks, look_levels(looks, ALPHA, pairs=pairs), strict=True):
        x, y = a[:, :n], b[:, :n]
        welch = stats.ttest_ind(x, y, axis=1, equal_var=False)
        test = stats.ttest_rel(x, y, axis=1) if pairs else welch
        found |= test.pvalue <= level
        assert found.mean() == pytest.approx(ALPHA * n / looks[-1], abs=0.0035)


def test_what_an_early_look_cannot_spend_is_left_to_later_ones() -> None:
    """Welch's test of two seeds is too strict to spend half of the level at the whole level."""
    early, late = look_levels((2, 4), ALPHA)
    assert early == ALPHA
    assert look_levels((4,), ALPHA)[0] == pytest.approx(ALPHA, rel=0.2)
    assert late > look_levels((3, 4), ALPHA)[1]


def test_one_look_is_the_plain_test_and_the_first_of_two_is_exact() -> None:
    assert look_levels((6,), 0.01) == (0.01,)
    assert look_levels((6,), 0.01, pairs=True)[0] == pytest.approx(0.01, rel=0.04)
    u = np.linspace(0.0005, 0.9995, 1000)  # share of one arm in the sum of both variances
    df, density = 5 / (u**2 + (1 - u) ** 2), stats.beta(2.5, 2.5).pdf(u)
    ps = 2 * special.stdtr(10, special.stdtrit(df, look_levels((6, 12), 0.02)[0] / 2))
    assert integrate.trapezoid(ps * density, u) == pytest.approx(0.01, rel=0.04)


def test_looks_are_the_same_each_time_and_refuse_what_they_cannot_share() -> None:
    first = look_levels(LOOKS, 0.01)
    look_levels.cache_clear()
    assert look_levels(LOOKS, 0.01) == first
    with pytest.raises(ValueError, match=r"level 0\.2"):
        look_levels(LOOKS, 0.2)


@pytest.mark.parametrize(("d", "seeds"), [(1.5, 15.8), (2.0, 11.7), (3.0, 7.6)])
def test_seeds_used_agree_with_an_earlier_simulation(d: float, seeds: float) -> None:
    design, levels = looks_design(LOOKS), look_levels(LOOKS, ALPHA / 15)
    assert seeds_used(design, LOOKS, levels, d) == pytest.approx(seeds, abs=0.25)
    detected = detectable_by_looks(design, levels)
    assert 1.3 < detected < 1.4  # power .90 at 1.5
    assert seeds_used(design, LOOKS, levels, 0.0) > seeds_used(design, LOOKS, levels, d)


@pytest.mark.parametrize("t", [0.0, 1.3, 4.0])
def test_the_e_value_is_the_ratio_of_the_likelihoods_of_t(t: float) -> None:
    """The alternative is a normal mixture of noncentral t distributions."""
    size, df, g = 2.5, 8, 2.0

    def alternative(effect: float) -> float:
        likelihood = stats.nct.pdf(t, df, effect * size**0.5)
        return float(likelihood * stats.norm.pdf(effect, scale=g**0.5))

    ratio = integrate.quad(alternative, -12, 12)[0] / stats.t.pdf(t, df)
    assert e_value(t, size, df, g) == pytest.approx(ratio, rel=1e-4)


def test_e_values_of_samples_use_the_students_t() -> None:
    a, b = np.random.default_rng(4).normal(0.9, 0.01, (2, 6))
    t = stats.ttest_ind(a, b[:4]).statistic
    assert two_sample_e(a.tolist(), b[:4].tolist()) == pytest.approx(e_value(t, 2.4, 8))
    assert paired_e((a - b).tolist()) == pytest.approx(
        e_value(stats.ttest_rel(a, b).statistic, 6, 5)
    )
    assert two_sample_e([0.9], [0.8, 0.7]) == paired_e([0.1]) == 1.0
    assert two_sample_e([0.9, 0.9], [0.9, 0.9]) == paired_e([0.0, 0.0]) == 1.0


def test_looking_as_often_as_one_likes_keeps_the_level() -> None:
    """At planned looks .0095 and .001 in an earlier simulation; more after every seed."""
    sweeps = 40_000
    a, b = np.random.default_rng(5).normal(0, 1, (2, sweeps, 20))
    at_looks, always = np.zeros(sweeps), np.zeros(sweeps)
    for n in range(3, 21):
        x, y = a[:, :n], b[:, :n]
        error = np.sqrt((x.var(1, ddof=1) + y.var(1, ddof=1)) / n)
        e = e_value((x.mean(1) - y.mean(1)) / error, n / 2, 2 * n - 2)
        always = np.maximum(always, e)
        at_looks = np.maximum(at_looks, e if n in LOOKS else 0)
    for m, size in ((1, 0.0095), (6, 0.001)):
        assert (at_looks >= m / ALPHA).mean() == pytest.approx(size, rel=0.4)
        assert (at_looks >= m / ALPHA).mean() < (always >= m / ALPHA).mean() < ALPHA / m / 2
