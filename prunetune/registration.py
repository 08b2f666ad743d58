"""What a sweep states before its first trial about how it will be judged; part of the plan's hash.

The plan names the question, the pairs of arms, the margin, the epochs and the seeds. The tests that
will judge them stand here, so that none of them can be chosen by looking at the results.
"""

from __future__ import annotations

from typing import Literal

from prunetune.config.budget import RecordedBudget
from prunetune.config.parts import Params

FrontierForm = Literal["searched", "repeated", "found", "stated"]
"""Where the error of a frontier comes from.

searched: from the scatter over budgets, each with a search of its own, and from the seeds; the
result is about the arms. repeated: from whole searches, each with one dense network for all its
seeds; the scatter over budgets would not show its luck; about the arms too. found: from the seeds
alone, although recipes were searched; the result is about the recipes found. stated: from the seeds
alone, and nothing was searched."""
ContrastName = Literal["area", "tilt"]
PAIRED_FROM = 8
"""Values an arm from which arms of one block are compared in pairs. Pairs halve the degrees of
freedom: with five values they pay only above a correlation of 0.47, with eight of about 0.28."""


class FrontierComparison(Params):
    """Two arms that are compared over all budgets at once, under one matching."""

    matching: str | None
    """None where both arms inherit weights: then they are compared once, for all matchings."""
    a: str
    b: str
    budgets: tuple[RecordedBudget, ...]
    """The budgets that both arms can meet, as far as the plan knows."""
    target_macs: tuple[int, ...]
    """The MACs of these budgets, in their order."""
    form: FrontierForm


class Look(Params):
    """A number of confirm seeds at which pairs of arms are judged."""

    seeds: int
    level: float
    """The level of each test at this look, such that all looks together keep the pair's level."""


class Registration(Params):
    """The tests of a sweep."""

    contrasts: tuple[ContrastName, ...] = ()
    """What is tested of two frontiers; empty: single budgets are judged at once."""
    frontiers: tuple[FrontierComparison, ...] = ()
    paired_from: int = PAIRED_FROM
    looks: tuple[Look, ...] = ()
    """Empty: there is one look, when all confirm seeds have ended."""
