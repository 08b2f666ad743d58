"""Second verdicts: would shorter searches have led to the same ones?

A search with the same number of trials as its rivals may have cost many times their MACs, and a
verdict that turns when searches are halved depends on their length.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal

from prunetune.agenda import Agenda
from prunetune.analysis.evidence.compared import Compared, compared_studies
from prunetune.analysis.evidence.confirmed import ConfirmedStudy
from prunetune.analysis.evidence.samples import Contest, contests
from prunetune.analysis.evidence.search_cuts import (
    SearchCut,
    after_cuts,
    equal_search_macs,
    half_of_trials,
)
from prunetune.analysis.format import listing, plural
from prunetune.analysis.verdicts.comparisons import compare
from prunetune.analysis.verdicts.frontiers import FrontierVerdict
from prunetune.analysis.verdicts.labels import judged_label, verdict_label
from prunetune.analysis.verdicts.sentences import contest_name
from prunetune.analysis.verdicts.verdict import Verdict, verdicts
from prunetune.plan import Plan
from prunetune.records.record import Frozen

CutName = Literal["equal search MACs", "half of the trials"]
_CUTS: dict[CutName, Callable[[Agenda, Compared], list[SearchCut]]] = {
    "equal search MACs": equal_search_macs,
    "half of the trials": half_of_trials,
}


class SecondVerdict(Frozen):
    """The verdicts after shorter searches, on estimated accuracies."""

    name: CutName
    cuts: tuple[SearchCut, ...]
    verdicts: tuple[Verdict, ...]
    frontiers: tuple[FrontierVerdict, ...]
    changes: tuple[str, ...]
    """Every verdict that is another one: where, and from what to what."""
    sentence: str


def second_verdicts(
    agenda: Agenda,
    confirmed: Mapping[str, ConfirmedStudy],
    first: Sequence[Verdict],
    frontiers: Sequence[FrontierVerdict],
    grown: int = 0,
) -> tuple[SecondVerdict, ...]:
    """The verdicts at equal search MACs and at half of the trials; none if nothing is searched."""
    plan = agenda.plan
    places = list(compared_studies(plan))
    found = []
    for name, cut in _CUTS.items():
        cuts = [each for place in places for each in cut(agenda, place)]
        if not cuts:
            continue
        judged = compare(plan, shortened := _contests(plan, confirmed, cuts), grown=grown)
        second = verdicts(plan, shortened, judged.pairs)
        changes = (*_turned(frontiers, judged.frontiers), *_changed(first, second))
        found.append(
            SecondVerdict(
                name=name,
                cuts=tuple(cuts),
                verdicts=second,
                frontiers=judged.frontiers,
                changes=changes,
                sentence=_sentence(name, cuts, changes),
            )
        )
    return tuple(found)


def _contests(
    plan: Plan, confirmed: Mapping[str, ConfirmedStudy], cuts: Sequence[SearchCut]
) -> list[Contest]:
    """All contests after the cuts: under each matching a study may be cut at another trial."""
    made: dict[str | None, list[Contest]] = {}
    order = []
    for contest in contests(plan, confirmed):
        if contest.matching not in made:
            under = {cut.study: cut for cut in cuts if cut.matching == contest.matching}
            made[contest.matching] = list(contests(plan, after_cuts(confirmed, under)))
        same = (c for c in made[contest.matching] if c.matching == contest.matching)
        order.append(next(c for c in same if c.budget == contest.budget))
    return order


def _changed(first: Sequence[Verdict], second: Sequence[Verdict]) -> Iterator[str]:
    for before, after in zip(first, second, strict=True):
        if (before.verdict, before.winner) != (after.verdict, after.winner):
            place = contest_name(before.budget, before.matching)
            yield f"{_word(before)} becomes {_word(after)} at {place}"


def _turned(first: Sequence[FrontierVerdict], second: Sequence[FrontierVerdict]) -> Iterator[str]:
    for before, after in zip(first, second, strict=True):
        if (before.verdict, before.winner) != (after.verdict, after.winner):
            under = f", {before.matching}" if before.matching else ""
            yield (
                f"{_word(before)} becomes {_word(after)} over all budgets "
                f"({before.a} against {before.b}{under})"
            )


def _word(verdict: Verdict | FrontierVerdict) -> str:
    """`thin wins`, `undecided`, `equivalent`, in quotation marks."""
    label = verdict_label(verdict) if isinstance(verdict, Verdict) else judged_label(verdict)
    return f'"{label}"'


def _sentence(name: CutName, cuts: Sequence[SearchCut], changes: Sequence[str]) -> str:
    """What the shorter searches say, and that it is an estimate."""
    short = [cut for cut in cuts if cut.kept < cut.trials]
    if not short:
        return "All searches spent about the same MACs, so the verdicts at equal MACs are the same."
    setting = "With half of the trials"
    if name == "equal search MACs":
        fewest = min(short, key=lambda cut: cut.kept / cut.trials)
        setting = (
            f"At the search MACs of the cheapest arm ({fewest.study} then has {fewest.kept} of "
            f"{plural(fewest.trials, 'trial')})"
        )
    result = f"these verdicts change: {listing(changes)}" if changes else "no verdict changes"
    return f"{setting}, {result} (estimated from validation accuracies)."
