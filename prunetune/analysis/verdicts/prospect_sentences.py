"""What a plan can show, in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from prunetune.analysis.format import plural, points
from prunetune.analysis.verdicts.claims import ENOUGH
from prunetune.analysis.verdicts.prospects import Prospect
from prunetune.plan import Plan, is_searched

ASSUMED = (
    "assumed spreads: 0.2 points over seeds, 0.185 over searches, 0.1 over dense networks; level "
    "5 % over the family"
)
_SUBJECTS = {
    "frontier": "a mean difference over all budgets",
    "change": "a change of the difference from the largest to the smallest budget",
    "budget": "a difference of two arms at one budget",
    "paired budget": "a difference of two arms of one block at one budget (in pairs, if results do "
    "not correlate)",
    "beats all": "an arm that beats all others at one budget",
    "looks": "a difference of two arms at one budget, at the last look",
}


def prospect_sentences(plan: Plan, known: Sequence[Prospect]) -> list[str]:
    """What can be found, and how equal arms will end; one sentence each."""
    if not known:
        values = plural(plan.n_independent, "independent value")
        return [f"Nothing can be decided: {values} an arm, and {ENOUGH} are the fewest that can."]
    return [*_found(known), *_of_equal_arms(plan, known), *_spoken_of(plan)]


def _found(known: Sequence[Prospect]) -> Iterator[str]:
    parts, gated = [], any(each.test in ("frontier", "change") for each in known)
    for each in known:
        by = "by " if each.test == "beats all" else "of "
        used = f", with {each.seeds:.1f} seeds on average" if each.seeds is not None else ""
        if each.test in ("budget", "paired budget", "beats all") and gated:
            used = " once the frontiers of the two arms are decided"
        parts.append(
            f"{_SUBJECTS[each.test]} {by}{points(each.detectable, signed=False)} points{used}"
        )
    yield f"Found with a probability of 80 %: {'; '.join(parts)} ({ASSUMED})."


def _of_equal_arms(plan: Plan, known: Sequence[Prospect]) -> Iterator[str]:
    names = {"frontier": "over the frontier", "budget": "at one budget"}
    for each in known:
        if each.test in names and each.equivalent is not None and each.margin is not None:
            margin = points(plan.confirm.margin, signed=False)
            yield (
                f"Equal arms {names[each.test]} end as equivalent (within {margin} points) with a "
                f"probability of {_chance(each.equivalent)} and as undecided with "
                f"{_chance(each.undecided or 0.0)}; a margin of "
                f"{points(each.margin, signed=False)} points would be met with 80 %."
            )


def _spoken_of(plan: Plan) -> Iterator[str]:
    """Of what the verdicts will speak."""
    if not any(is_searched(study, plan.studies) for study in plan.studies):
        yield "Nothing is searched: verdicts will be about the recipes of the sweep file."
        return
    if plan.replicates >= ENOUGH:
        return
    frontiers = plan.registration.frontiers if plan.registration else ()
    over = any(frontier.form == "searched" for frontier in frontiers)
    which = "Verdicts at single budgets" if over else "Verdicts"
    yield (
        f"{which} will be about the recipes found, not about the arms: "
        f"{plural(plan.replicates, 'search')} a study cannot show the luck of a search."
    )


def _chance(probability: float) -> str:
    """A probability from simulation: `97 %`."""
    if probability < 0.01:
        return "less than 1 %"
    return "more than 99 %" if probability > 0.99 else f"{100 * probability:.0f} %"
