"""The answer of a sweep in one sentence: the strongest that its intervals allow."""

from __future__ import annotations

from collections.abc import Sequence

from prunetune.analysis.format import listing, plural
from prunetune.analysis.verdicts.frontier_sentences import claim_of
from prunetune.analysis.verdicts.frontiers import FrontierVerdict
from prunetune.analysis.verdicts.sentences import contest_name
from prunetune.analysis.verdicts.verdict import Verdict, weakest_claim
from prunetune.analysis.verdicts.wording import (
    are_equivalent,
    beats,
    capital,
    excludes_zero,
    interval_words,
)
from prunetune.plan import Plan


def answer(
    plan: Plan,
    frontiers: Sequence[FrontierVerdict],
    verdicts: Sequence[Verdict],
    doubts: Sequence[str] = (),
) -> str:
    """One or two sentences: over the frontier where it was compared, else at the budgets.

    While `doubts` about the dense network stand, nothing is claimed; that nothing is decided may be
    said in any case.
    """
    if any(v.verdict == "undecided" and _has_pending(v) for v in verdicts):
        return "This sweep is not finished, so it has no answer yet."
    if withheld(frontiers, verdicts, doubts):
        return f"The answer is withheld, since the dense network may be too weak: {doubts[0]}."
    judged = [frontier for frontier in frontiers if frontier.area is not None]
    if judged:
        return " ".join(_by_matching(plan, judged))
    return _by_budgets(plan, verdicts)


def withheld(
    frontiers: Sequence[FrontierVerdict], verdicts: Sequence[Verdict], doubts: Sequence[str]
) -> bool:
    """Whether something is decided, but doubts about the dense network forbid to say so."""
    judgements = [*(f.verdict for f in frontiers), *(v.verdict for v in verdicts)]
    return bool(doubts) and any(judgement != "undecided" for judgement in judgements)


def _has_pending(verdict: Verdict) -> bool:
    return any(arm.pending for arm in verdict.arms.values())


def _by_matching(plan: Plan, judged: Sequence[FrontierVerdict]) -> list[str]:
    """One sentence for each matching; pairs without a matching belong to each."""
    named = dict.fromkeys(f.matching for f in judged if f.matching)
    matchings: list[str | None] = [*named] or [None]
    sentences = []
    for matching in matchings:
        under = [f for f in judged if f.matching in (None, matching)]
        text = _frontier(plan, under)
        sentences.append(text if len(matchings) == 1 else f"Under {matching}: {text}")
    return sentences


def _frontier(plan: Plan, judged: Sequence[FrontierVerdict]) -> str:
    arms = list(dict.fromkeys(arm for f in judged for arm in (f.a, f.b)))
    pairs = len(arms) * (len(arms) - 1) // 2
    over = f"over {plural(len(judged[0].budgets), 'budget')}"
    these = f"on these {plural(plan.test_size, 'test image')}"
    turning = [f for f in judged if f.tilt is not None and f.tilt.significant]
    turn = ""
    if turning:
        turn = (
            f" How far {listing(f'{f.a} and {f.b}' for f in turning)} differ turns with the budget."
        )
    for arm in arms:
        won = [f for f in judged if f.winner == arm]
        if len(won) == len(arms) - 1:
            holds = all(excludes_zero(f.new_low, f.new_high) for f in won)
            others = [a for a in arms if a != arm]
            scope = over if holds else f"{over} and {these}"
            text = f"{scope}, {beats(arm, others, weakest_claim(won))} on average{_by(won)}"
            return f"{capital(text)}.{turn}"
    if len(judged) == pairs and all(f.verdict == "equivalent" for f in judged):
        text = f"{over} and {these}, {are_equivalent(arms, weakest_claim(judged))} on average"
        return f"{capital(text)}.{turn}"
    settled = [_settled(plan, f) for f in judged if f.verdict != "undecided"]
    undecided = [f for f in judged if f.verdict == "undecided"]
    parts = [f"{capital(over)}: {'; '.join(settled)}."] if settled else []
    if undecided:
        names = listing(f"{f.a} against {f.b}" for f in undecided)
        parts.append(f"{capital(over)}, undecided: {names}.")
    return " ".join(parts) + turn


def _by(won: Sequence[FrontierVerdict]) -> str:
    """The interval of the narrowest win: ` by 0.12 to 0.70 points`."""
    nearest = min(won, key=lambda f: abs(f.area or 0.0))
    new = nearest.new_low is not None and excludes_zero(nearest.new_low, nearest.new_high)
    ends = (nearest.new_low, nearest.new_high) if new else (nearest.low, nearest.high)
    low, high = (e if e is not None else 0.0 for e in ends)
    if nearest.winner == nearest.b:
        low, high = -high, -low
    return f" (by {interval_words(low, high)}, 95 % simultaneous)"


def _settled(plan: Plan, verdict: FrontierVerdict) -> str:
    claim = claim_of(verdict)
    scope = f"on these {plural(plan.test_size, 'test image')}, "
    if verdict.verdict == "equivalent":
        return f"{scope}{are_equivalent((verdict.a, verdict.b), claim)} on average"
    loser = verdict.b if verdict.winner == verdict.a else verdict.a
    if excludes_zero(verdict.new_low, verdict.new_high):
        scope = ""
    return f"{scope}{beats(verdict.winner or '', (loser,), claim)} on average"


def _by_budgets(plan: Plan, verdicts: Sequence[Verdict]) -> str:
    compared = [v for v in verdicts if v.pairs]
    if not compared:
        return "Nothing is compared in this sweep."
    these = f"on these {plural(plan.test_size, 'test image')}"
    groups: dict[str, list[str]] = {}
    for verdict in compared:
        name = contest_name(verdict.budget, verdict.matching)
        groups.setdefault(_short(verdict, these), []).append(name)
    parts = [f"{text} at {listing(names)}" for text, names in groups.items()]
    return f"{capital('; '.join(parts))}."


def _short(verdict: Verdict, these: str) -> str:
    arms = [name for name, arm in verdict.arms.items() if not arm.infeasible]
    if verdict.winner is not None:
        others = [arm for arm in arms if arm != verdict.winner]
        won = [pair for pair in verdict.pairs if pair.winner == verdict.winner]
        holds = all(excludes_zero(pair.new_low, pair.new_high) for pair in won)
        text = beats(verdict.winner, others, verdict.claim)
        return text if holds else f"{these}, {text}"
    if verdict.verdict == "equivalent":
        return f"{these}, {are_equivalent(arms, verdict.claim)}"
    return "undecided"
