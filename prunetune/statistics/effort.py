"""Search effort: the expected best of n trials, from the N trials that were run.

Unbiased (Tang et al., 2004.13705): the mean of the maximum over all subsets of n of the N values.
An older form draws with replacement and is biased low. Both hold only for trials that are
exchangeable, as random and quasi-random samplers deal them. Under TPE a later trial depends on
earlier ones; then only the best so far, in the order of the trials, means anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from math import comb


def expected_best(values: Sequence[float]) -> list[float]:
    """The expected best of n trials for n = 1 … N, from N exchangeable values, larger is better.

    A trial that did not finish must enter with the value it is worth (0 if it diverged): left out,
    it would flatter the search. Above N / 2 the subsets overlap so much that the curve has no
    useful error; show no band there.
    """
    ordered, total = sorted(values), len(values)
    return [
        sum(comb(i, n - 1) * value for i, value in enumerate(ordered)) / comb(total, n)
        for n in range(1, total + 1)
    ]


def best_so_far(values: Sequence[float]) -> list[float]:
    """The best of the first n trials in the order in which they were dealt."""
    return list(accumulate(values, max))


def still_rising(best: Sequence[float], difference: float) -> bool:
    """Whether the last third of the trials raised the best by more than half of `difference`.

    `difference` is the smallest that the sweep can detect: a search that still gains as much may
    have cost an arm its win.
    """
    if len(best) < 3:
        return False
    before = best[len(best) - len(best) // 3 - 1]
    return best[-1] - before > difference / 2
