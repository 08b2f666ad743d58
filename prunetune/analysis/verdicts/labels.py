"""Verdicts in a few words, for cells and figures; they claim no more than the sentences do."""

from __future__ import annotations

from prunetune.analysis.verdicts.claims import Claim
from prunetune.analysis.verdicts.judged import Judged
from prunetune.analysis.verdicts.verdict import Verdict


def verdict_label(verdict: Verdict) -> str:
    """The verdict at one budget: `pruned wins`, `recipe of pruned wins`, `undecided`."""
    if not verdict.pairs:
        return "no comparison"
    if verdict.winner is not None:
        return f"{_winner(verdict.winner, verdict.claim)} wins"
    if verdict.verdict == "undecided" and any(arm.pending for arm in verdict.arms.values()):
        return "not finished"
    return verdict.verdict


def judged_label(judged: Judged) -> str:
    """The verdict on two arms, at one budget or over all."""
    if judged.winner is None:
        return judged.verdict
    claim = Claim(subject=judged.subject, dense_networks=judged.dense_networks)
    return f"{_winner(judged.winner, claim)} wins"


def _winner(arm: str, claim: Claim) -> str:
    """The arm, or only its recipe."""
    return arm if claim.subject == "arms" else f"recipe of {arm}"
