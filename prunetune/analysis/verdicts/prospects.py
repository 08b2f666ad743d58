"""What a plan can show, before any trial runs: by the tests that will really judge it.

Spreads are assumptions (`designs`): 0.2 points over seeds, 0.185 over searches, 0.1 over dense
networks, as they are usual on CIFAR-10. Where arms are equal, each outcome has a probability; where
they differ, there is a smallest difference that is found with a probability of 80 %.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from typing import Literal

from prunetune.plan import Plan, is_searched
from prunetune.records.record import Frozen
from prunetune.registration import FrontierComparison, Registration
from prunetune.statistics.designs import (
    DENSE_SPREAD,
    SEARCH_SPREAD,
    SEED_SPREAD,
    fixed_design,
    paired_design,
    rivals_design,
    searched_design,
    welch_design,
)
from prunetune.statistics.intervals import ALPHA
from prunetune.statistics.looks import detectable_by_looks, looks_design, seeds_used
from prunetune.statistics.moments import Moments
from prunetune.statistics.power import detectable, detectable_margin, outlook
from prunetune.statistics.sequential import LEAST_VALUES


class Prospect(Frozen):
    """One kind of comparison of a plan."""

    test: Literal["frontier", "change", "budget", "paired budget", "beats all", "looks"]
    """frontier: mean difference over all budgets. change: of the difference, from the largest to
    the smallest budget. budget: two arms at one budget. beats all: an arm against all others."""
    comparisons: int
    """How many there are of this kind."""
    detectable: float
    """The smallest difference of accuracy that is found with a probability of 80 %."""
    margin: float | None = None
    """The smallest margin within which equal arms are called equivalent with 80 %."""
    equivalent: float | None = None
    """The probability that equal arms are called equivalent, within the margin of the plan."""
    undecided: float | None = None
    """The probability that equal arms stay undecided."""
    seeds: float | None = None
    """Looks: confirm seeds that are used on average where arms differ by `detectable`."""


def prospects(plan: Plan) -> tuple[Prospect, ...]:
    """What each kind of comparison of the plan can show; empty where nothing can be decided."""
    rule = plan.registration or Registration()
    return (*_frontiers(plan, rule), *_budgets(plan, rule))


def _frontiers(plan: Plan, rule: Registration) -> Iterator[Prospect]:
    if not rule.contrasts or plan.replicates * plan.confirm.seeds < LEAST_VALUES:
        return
    widest = max(rule.frontiers, key=lambda f: len(f.budgets))
    area, tilt = _frontier_design(plan, widest)
    pairs = len(rule.frontiers)
    level = ALPHA / (pairs * len(rule.contrasts))
    if "area" in rule.contrasts:
        half = ALPHA / 2 / pairs
        ends = outlook(area, plan.confirm.margin, half)
        yield Prospect(
            test="frontier", comparisons=pairs, detectable=detectable(area, level),
            margin=detectable_margin(area, half), equivalent=ends.equivalent,
            undecided=ends.undecided,
        )  # fmt: skip
    if "tilt" in rule.contrasts:
        width = math.log(max(widest.target_macs) / min(widest.target_macs))
        yield Prospect(test="change", comparisons=pairs, detectable=width * detectable(tilt, level))


def _frontier_design(plan: Plan, frontier: FrontierComparison) -> tuple[Moments, Moments]:
    log_macs = tuple(math.log(macs) for macs in frontier.target_macs)
    inherits = _inherits(plan, frontier.a), _inherits(plan, frontier.b)
    if frontier.form == "searched":
        seeds = max(2, plan.confirm.seeds)
        return searched_design(log_macs, plan.replicates, seeds, inherits=inherits)
    n = max(2, plan.n_independent)
    if frontier.form == "repeated":  # a curve is the mean of a search's seeds
        of_search = math.hypot(SEARCH_SPREAD, SEED_SPREAD / math.sqrt(plan.confirm.seeds))
        return fixed_design(log_macs, n, inherits=inherits, seed=of_search)
    return fixed_design(log_macs, n, inherits=inherits)


def _inherits(plan: Plan, arm: str) -> bool:
    return any(study.inherits for study in plan.studies if study.arm == arm)


def _budgets(plan: Plan, rule: Registration) -> Iterator[Prospect]:
    """Single budgets; where frontiers are compared first, once both contrasts were significant."""
    n, m = plan.n_independent, len(plan.family)
    if n < LEAST_VALUES or not m:
        return
    if rule.looks:
        yield _by_looks(plan, rule)
        return
    spread = _spread(plan)
    level = ALPHA / m
    halves = 2 if rule.contrasts and rule.frontiers else 1
    yield _at_budget(plan, "budget", welch_design(n, spread, spread), level, halves)
    if n >= rule.paired_from:
        yield _at_budget(plan, "paired budget", paired_design(n, spread), level, halves)
    rivals = _most_rivals(plan)
    if rivals > 1:
        design = rivals_design(n, rivals, spread)
        yield Prospect(test="beats all", comparisons=m, detectable=detectable(design, level))


def _at_budget(
    plan: Plan,
    test: Literal["budget", "paired budget"],
    design: Moments,
    level: float,
    halves: int,
) -> Prospect:
    ends = outlook(design, plan.confirm.margin, level / halves)
    return Prospect(
        test=test, comparisons=len(plan.family), detectable=detectable(design, level),
        margin=detectable_margin(design, level / halves), equivalent=ends.equivalent,
        undecided=ends.undecided,
    )  # fmt: skip


def _by_looks(plan: Plan, rule: Registration) -> Prospect:
    looks = tuple(look.seeds for look in rule.looks)
    levels = tuple(look.level for look in rule.looks)
    design = looks_design(looks, SEED_SPREAD)
    found = detectable_by_looks(design, levels)
    return Prospect(
        test="looks",
        comparisons=len(plan.family),
        detectable=found,
        seeds=seeds_used(design, looks, levels, found),
    )


def _spread(plan: Plan) -> float:
    """Of the values that are compared at one budget: confirm seeds, or means of searches."""
    if plan.replicates == 1:
        return SEED_SPREAD
    shared = DENSE_SPREAD**2 if any(study.inherits for study in plan.studies) else 0.0
    searched = any(is_searched(study, plan.studies) for study in plan.studies)
    of_search = SEARCH_SPREAD**2 if searched else 0.0
    return math.sqrt(of_search + (SEED_SPREAD**2 + shared) / plan.confirm.seeds)


def _most_rivals(plan: Plan) -> int:
    """The most arms that one arm is compared with at a budget under a matching."""
    rivals = Counter((c.budget, c.matching, arm) for c in plan.family for arm in (c.a, c.b))
    return max(rivals.values(), default=0)
