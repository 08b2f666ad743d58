"""What was fixed before the first trial, and every departure from it, in sentences."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from prunetune.analysis.evidence.confirmed import ConfirmedStudy
from prunetune.analysis.evidence.growths import EFFORT, Change, effort_after_a_look
from prunetune.analysis.format import listing, plural, points
from prunetune.analysis.verdicts.arm_pairs import Pair
from prunetune.plan import Plan
from prunetune.records.record import Frozen
from prunetune.registration import Registration


class LookTaken(Frozen):
    """One planned look."""

    seeds: int
    judged: int
    """Pairs that were judged at this look: those that no earlier look decided."""
    decided: int
    """Those of them that it decided."""


class PreRegistration(Frozen):
    """The plan that was fixed before the first trial, and what became of it."""

    hash: str = ""
    """The hash of the plan."""
    tests: Registration | None = None
    """The tests that the plan states; None where an older version wrote it."""
    stated: tuple[str, ...] = ()
    """What was fixed, in sentences."""
    looks: tuple[LookTaken, ...] = ()
    """The looks that were taken; empty where the plan has one look alone."""
    growth: tuple[Change, ...] = ()
    """How the sweep grew after it had begun."""
    deviations: tuple[str, ...] = ()
    """Every departure from the plan, in sentences."""


def preregistration(
    plan: Plan,
    grown: tuple[Change, ...],
    confirmed: Mapping[str, ConfirmedStudy],
    pairs: Iterable[Pair],
) -> PreRegistration:
    """What the plan fixed, and every departure from it."""
    return PreRegistration(
        hash=plan.fingerprint,
        tests=plan.registration,
        stated=tuple(registered(plan)),
        looks=tuple(_looks(plan, tuple(pairs))),
        growth=grown,
        deviations=tuple(deviations(plan, grown, confirmed)),
    )


def _looks(plan: Plan, pairs: Sequence[Pair]) -> Iterator[LookTaken]:
    for look in plan.registration.looks if plan.registration else ():
        judged = [p for p in pairs if p.look is not None and p.look >= look.seeds]
        decided = [p for p in judged if p.look == look.seeds and p.verdict != "undecided"]
        if judged:
            yield LookTaken(seeds=look.seeds, judged=len(judged), decided=len(decided))


def registered(plan: Plan) -> Iterator[str]:
    """What the plan stated, one sentence each."""
    rule = plan.registration
    yield (
        f"Plan {plan.fingerprint}: {plural(len(plan.family), 'comparison')}, margin of equivalence "
        f"{points(plan.confirm.margin, signed=False)} points, seed {plan.seed}."
    )
    if rule is None:
        return
    if rule.looks:
        seeds = listing(str(look.seeds) for look in rule.looks)
        yield f"Looks at {seeds} confirm seeds; seeds are added to undecided pairs alone."
    else:
        yield (
            f"One look, at {plural(plan.confirm.seeds, 'confirm seed')} and "
            f"{'1 search' if plan.replicates == 1 else plural(plan.replicates, 'search')} a study."
        )
    if rule.contrasts and rule.frontiers:
        yield (
            f"Frontiers are compared first, by {listing(rule.contrasts)}; a pair of arms that "
            "differs there hands its share of alpha to its single budgets."
        )
    yield (
        f"Arms that share a dense network or a shape seed by seed are compared in pairs from "
        f"{rule.paired_from} values on."
    )


def deviations(
    plan: Plan, grown: Sequence[Change], confirmed: Mapping[str, ConfirmedStudy]
) -> list[str]:
    """Every departure from the plan as it was first written, one sentence each."""
    return [*_of_the_file(plan), *_growth(grown), *_lost(confirmed.values())]


def _of_the_file(plan: Plan) -> Iterator[str]:
    if plan.registration is None:
        yield (
            "The plan was written by an older version that did not state its tests. Single budgets "
            "are judged at once, corrected by Holm's procedure."
        )


def _growth(grown: Sequence[Change]) -> Iterator[str]:
    for change in grown:
        known = "after results were known" if change.looked else "before any result was known"
        verb = "grew" if change.field in EFFORT else "changed"
        values = f"from {change.before} to {change.after}"
        yield f"{change.field} {verb} {values} on {change.at[:10]}, {known}."
    if effort_after_a_look(grown):
        yield (
            "This was not planned. p values are therefore inverse e-values, which adding seeds "
            "does not favour, and which find less."
        )


def _lost(confirmed: Iterable[ConfirmedStudy]) -> Iterator[str]:
    for each in confirmed:
        lost = [loss for loss in each.lost if loss.status != "collapsed"]
        if lost and not each.study.infeasible:
            ends = listing(dict.fromkeys(loss.status for loss in lost))
            yield f"{each.study.id}: {plural(len(lost), 'confirm seed')} without a result ({ends})."
