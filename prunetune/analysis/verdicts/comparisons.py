"""Comparisons of two arms: every member of the family, and every pair of frontiers, judged.

The family is written down before the first trial, and every member counts in the correction,
whether it can be judged or not. Where the plan compares frontiers, area and tilt of each pair share
alpha, and one that is significant hands its share to the pair's single budgets. Else all budgets
are corrected by Holm's procedure, or, where the plan has several looks, judged at their levels.
Where there are frontiers and budgets, one half of the level of the tests of equivalence belongs to
the frontiers and the other to the budgets.

Where a sweep grew after results were known, p is the inverse of an e-value: equal arms reach a
small one with no larger a probability, however often one looks and adds seeds. The tests of
equivalence share their level with every look that was not planned.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from prunetune.analysis.evidence.confirmed import grain
from prunetune.analysis.evidence.images import NO_IMAGES, TestImages
from prunetune.analysis.evidence.samples import Contest
from prunetune.analysis.verdicts.arm_pairs import ArmPair, Pair, PairLevels
from prunetune.analysis.verdicts.frontiers import FrontierVerdict
from prunetune.analysis.verdicts.look_verdicts import look_pair
from prunetune.analysis.verdicts.measuring import Measuring, Sides
from prunetune.plan import Comparison, Plan
from prunetune.registration import FrontierComparison, Registration
from prunetune.statistics.contrasts import Contrast
from prunetune.statistics.corrections import GatedPair, gated, gated_levels
from prunetune.statistics.evalue import e_value, two_sample_e
from prunetune.statistics.intervals import ALPHA


@dataclass(frozen=True)
class Judgements:
    """All that was judged."""

    pairs: Mapping[Comparison, Pair]
    frontiers: tuple[FrontierVerdict, ...]


def compare(
    plan: Plan, contests: Sequence[Contest], images: TestImages = NO_IMAGES, *, grown: int = 0
) -> Judgements:
    """Judge the family of the plan.

    Args:
        plan: The plan.
        contests: The samples at each budget and matching.
        images: The test images that each network got right.
        grown: How often seeds, trials or searches were added after results were known.
    """
    rule = plan.registration or Registration()
    if rule.looks and not grown:
        measuring = Measuring(plan, images)
        at_looks = {
            member: look_pair(measuring, member, _sides(member, contests), rule.looks)
            for member in plan.family
        }
        return Judgements(at_looks, ())
    groups = _groups(plan, rule, contests, Measuring(plan, images))
    raw = [_ps(plan, group, rule, grown=bool(grown)) for group in groups]
    corrected = gated(raw)
    levels = _levels(plan, groups, corrected, 1 + grown)
    pairs: dict[Comparison, Pair] = {}
    frontiers = []
    for group, ps, qs, level in zip(groups, raw, corrected, levels, strict=True):
        pairs |= group.judged_pairs(ps, qs, level)
        if group.comparison is not None:
            frontiers.append(group.judged_frontier(plan, rule.contrasts, ps, qs, level))
    return Judgements({member: pairs[member] for member in plan.family}, tuple(frontiers))


def belongs(member: Comparison, contest: Contest) -> bool:
    """Whether a member of the family is decided in this contest."""
    same = contest.budget == member.budget and member.matching in (None, contest.matching)
    return same and {member.a, member.b} <= contest.samples.keys()


def _groups(
    plan: Plan, rule: Registration, contests: Sequence[Contest], measuring: Measuring
) -> list[ArmPair]:
    groups: dict[tuple[str | None, str, str], ArmPair] = {}
    for member in plan.family:
        group = groups.setdefault((member.matching, member.a, member.b), ArmPair())
        sides = _sides(member, contests)
        group.members.append(member)
        group.sides.append(sides)
        group.measures.append(measuring.pair(sides) if sides else None)
    for comparison in rule.frontiers if rule.contrasts else ():
        group = groups.setdefault((comparison.matching, comparison.a, comparison.b), ArmPair())
        group.comparison = comparison
        at_budgets = [s for m in _members(comparison) if (s := _sides(m, contests)) is not None]
        if len(at_budgets) == len(comparison.budgets):
            group.frontier = measuring.frontier(comparison, at_budgets)
    return list(groups.values())


def _members(comparison: FrontierComparison) -> list[Comparison]:
    matching, a, b = comparison.matching, comparison.a, comparison.b
    return [Comparison(budget=x, matching=matching, a=a, b=b) for x in comparison.budgets]


def _sides(member: Comparison, contests: Sequence[Contest]) -> Sides | None:
    for contest in contests:
        if belongs(member, contest):
            return contest.samples[member.a], contest.samples[member.b]
    return None


def _ps(plan: Plan, group: ArmPair, rule: Registration, *, grown: bool) -> GatedPair:
    """The p values of a group before any correction, 1 where nothing was measured."""
    top = group.contrasts(rule.contrasts)
    budgets = [measure.contrast if measure else None for measure in group.measures]
    if not grown:
        return GatedPair(*(tuple(c.p if c else 1.0 for c in cs) for cs in (top, budgets)))
    searched = group.comparison is not None and group.comparison.form == "searched"
    of_frontier = tuple(_inverse(_e_of(c, one_sample=searched)) if c else 1.0 for c in top)
    at_budgets = []
    for contrast, sides in zip(budgets, group.sides, strict=True):
        e = 1.0
        if contrast is not None and sides is not None:
            a, b = (list(side.values.values()) for side in sides)
            e = _e_of(contrast) if contrast.paired else two_sample_e(a, b, grain(plan))
        at_budgets.append(_inverse(e))
    return GatedPair(of_frontier, tuple(at_budgets))


def _e_of(contrast: Contrast, *, one_sample: bool = False) -> float:
    """The e-value of a contrast. The scatter over budgets is that of one sample, as pairs are."""
    size = contrast.n if one_sample or contrast.paired else contrast.n / 2
    return e_value(contrast.difference / contrast.error, size, contrast.df)


def _inverse(e: float) -> float:
    return min(1.0, 1 / e)


def _levels(
    plan: Plan, groups: Sequence[ArmPair], corrected: Sequence[GatedPair], looks: int
) -> list[PairLevels]:
    frontiers = sum(group.comparison is not None for group in groups)
    budgets = sum(len(group.members) for group in groups)
    alpha = ALPHA / (2 * looks) if frontiers and budgets else ALPHA / looks
    equivalence = (alpha / max(1, frontiers), alpha / max(1, budgets))
    return [
        PairLevels(contrast, budget, *equivalence, plan.confirm.margin, looks > 1)
        for contrast, budget in gated_levels(corrected)
    ]
