"""Corrections of p values for the number of comparisons, and intervals that agree with them.

Two procedures: Holm's (Scandinavian Journal of Statistics 6, 1979) for comparisons of equal rank,
and a graph that hands alpha on (Bretz, Maurer, Brannath and Posch, Statistics in Medicine 28, 2009)
for comparisons over all budgets that open the way to those at single budgets.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from prunetune.statistics.contrasts import Contrast
from prunetune.statistics.intervals import ALPHA
from prunetune.statistics.moments import Floats

JUST_OFF_ZERO = 1e-9
"""An interval end that means "zero, excluded". It is not 0.0, so that `low > 0` or `high < 0` holds
for every win, and it is far below any difference of accuracies that can be measured."""


class GatedPair(NamedTuple):
    """The p values of two arms: over all budgets, and at each budget."""

    contrasts: tuple[float, ...]
    """Of area and tilt, or of the area alone; empty where budgets are too few for either."""
    budgets: tuple[float, ...]


def holm(ps: Sequence[float]) -> list[float]:
    """Holm's step-down corrected p values, in the order given."""
    corrected = [0.0] * len(ps)
    largest = 0.0
    for rank, index in enumerate(sorted(range(len(ps)), key=lambda i: ps[i])):
        largest = max(largest, min(1.0, (len(ps) - rank) * ps[index]))
        corrected[index] = largest
    return corrected


def gated(pairs: Sequence[GatedPair]) -> list[GatedPair]:
    """Corrected p values where budgets are judged only after area or tilt.

    Alpha is shared equally by all areas and tilts. One that is significant hands its share to its
    pair's budgets, which use it by Holm's procedure. A pair without contrasts has one share for its
    budgets. If no pair has contrasts, all budgets of all pairs are corrected by Holm.
    """
    if not any(pair.contrasts for pair in pairs):
        corrected = iter(holm([p for pair in pairs for p in pair.budgets]))
        return [GatedPair((), tuple(next(corrected) for _ in pair.budgets)) for pair in pairs]
    weights, transitions = gated_graph([(len(p.contrasts), len(p.budgets)) for p in pairs])
    ps = [p for pair in pairs for p in (*pair.contrasts, *pair.budgets)]
    adjusted = iter(graph_corrected(ps, weights, transitions))
    return [GatedPair(*(tuple(next(adjusted) for _ in ps) for ps in pair)) for pair in pairs]


def gated_graph(sizes: Sequence[tuple[int, int]]) -> tuple[Floats, Floats]:
    """Weights and transitions of `gated` for pairs of (number of contrasts, number of budgets)."""
    shares, nodes = gated_shares(sizes), sum(c + b for c, b in sizes)
    weights, transitions = np.zeros(nodes), np.zeros((nodes, nodes))
    start = 0
    for contrasts, budgets in sizes:
        top = slice(start, start + contrasts)
        below = slice(start + contrasts, start + contrasts + budgets)
        weights[top] = 1 / shares
        if not contrasts:
            weights[below] = 1 / (shares * max(1, budgets))
        transitions[top, below] = 1 / max(1, budgets)
        transitions[below, below] = (1 - np.eye(budgets)) / max(1, budgets - 1)
        start = below.stop
    return weights, transitions


def gated_shares(sizes: Sequence[tuple[int, int]]) -> int:
    """The number of equal shares into which `gated` divides alpha at first."""
    return sum(max(1, contrasts) for contrasts, _ in sizes)


def gated_levels(corrected: Sequence[GatedPair], alpha: float = ALPHA) -> list[tuple[float, float]]:
    """Levels for the intervals of each pair: of a contrast, and of a budget.

    Intervals of contrasts hold all at once, and so do those of budgets. A budget uses the shares
    that its pair's contrasts handed on; before any did, it is shown at the level of one share.
    """
    sizes = [(len(p.contrasts), len(p.budgets)) for p in corrected]
    if not any(contrasts for contrasts, _ in sizes):
        level = alpha / max(1, sum(budgets for _, budgets in sizes))
        return [(level, level)] * len(sizes)
    share = alpha / gated_shares(sizes)
    handed = [max(1, sum(p <= alpha for p in pair.contrasts)) for pair in corrected]
    budgets = [max(1, n) for _, n in sizes]
    return [(share, share * k / n) for k, n in zip(handed, budgets, strict=True)]


def graph_corrected(ps: Sequence[float], weights: Floats, transitions: Floats) -> list[float]:
    """Corrected p values of the sequentially rejective graphical procedure, in the order given.

    Args:
        ps: The p values, one for each node.
        weights: The share of alpha that each node starts with; their sum is at most 1.
        transitions: Row i says how node i, once rejected, divides its share among the others.
    """
    w, g = weights.astype(float), transitions.astype(float)
    corrected, largest = [1.0] * len(ps), 0.0
    left = list(range(len(ps)))
    while left:
        ratio, node = min((ps[i] / w[i] if w[i] > 0 else np.inf, i) for i in left)
        largest = max(largest, ratio)
        if largest > 1:
            break
        corrected[node] = float(largest)
        left.remove(node)
        w, g = without(node, w, g)
    return corrected


def without(node: int, weights: Floats, transitions: Floats) -> tuple[Floats, Floats]:
    """Weights and transitions of the graph after `node` was rejected."""
    g, out, into = transitions, transitions[node], transitions[:, node]
    w = weights + weights[node] * out
    loops = into * out  # what would come straight back
    share = np.where(loops < 1, 1 / np.where(loops < 1, 1 - loops, 1), 0.0)
    rest = (g + np.outer(into, out)) * share[:, None]
    np.fill_diagonal(rest, 0.0)
    w[node], rest[node], rest[:, node] = 0.0, 0.0, 0.0
    return w, rest


def agreeing_interval(
    contrast: Contrast, level: float, *, significant: bool
) -> tuple[float, float]:
    """The interval at 1 - level, which excludes zero exactly if the difference is significant.

    A corrected test may find a difference although the interval contains zero; the interval then
    ends at zero, excluded (Guilbaud, Biometrical Journal 50, 2008). Where the test finds none
    although the interval excludes zero, the interval is stretched to zero: it holds all the more.
    """
    half = contrast.half_width(level)
    low, high = contrast.difference - half, contrast.difference + half
    if not significant:
        return min(low, 0.0), max(high, 0.0)
    if contrast.difference > 0:
        return max(low, JUST_OFF_ZERO), high
    return low, min(high, -JUST_OFF_ZERO)
