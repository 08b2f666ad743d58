"""Evidence that stays valid however often one looks: e-values of two-sample t tests.

Seeds that were added after a look which no plan foresaw cannot be judged by p. An e-value may be
looked at after every seed: where arms are equal it exceeds 1 / alpha at any time with a probability
of alpha at most (Ville's inequality). This one is the Bayes factor of a t test whose effect, in
units of the spread, has a normal prior with variance g (Gronau, Ly and Wagenmakers, The American
Statistician 74, 2020; as an e-process: Pérez-Ortiz et al., Annals of Statistics 52, 2024). It
assumes that both arms have the same spread.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean

from prunetune.statistics.intervals import rounded_variance

EFFECT_VARIANCE = 2.0
"""Variance of the prior of the effect: differences of one to two spreads are expected."""


def two_sample_e(a: Sequence[float], b: Sequence[float], grain: float = 0.0) -> float:
    """Evidence that the means of independent samples differ; 1 (none) below two values a side.

    In a family of m comparisons a difference is found at e >= m / alpha.
    """
    n, k = len(a), len(b)
    if min(n, k) < 2:
        return 1.0
    squares = sum((len(x) - 1) * rounded_variance(x, grain) for x in (a, b))
    error = math.sqrt(squares / (n + k - 2) * (1 / n + 1 / k))
    if error == 0:
        return 1.0
    return e_value((fmean(a) - fmean(b)) / error, n * k / (n + k), n + k - 2)


def paired_e(differences: Sequence[float], grain: float = 0.0) -> float:
    """Evidence that the mean of differences of pairs is not zero; 1 below two pairs."""
    n = len(differences)
    if n < 2:
        return 1.0
    error = math.sqrt(rounded_variance(differences, grain * math.sqrt(2)) / n)
    return e_value(fmean(differences) / error, n, n - 1) if error > 0 else 1.0


def e_value(t: float, size: float, df: float, g: float = EFFECT_VARIANCE) -> float:
    """The Bayes factor of a t statistic.

    `size` is the number of pairs, or half the harmonic mean of the two samples' sizes.
    """
    spread = 1 + size * g
    ratio = (1 + t**2 / df) / (1 + t**2 / (df * spread))
    evidence: float = ratio ** ((df + 1) / 2) / math.sqrt(spread)
    return evidence
