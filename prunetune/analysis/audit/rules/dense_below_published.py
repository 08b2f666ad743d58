"""Published accuracies: a dense network far below them makes every comparison easy."""

from __future__ import annotations

from collections.abc import Iterator

from prunetune.analysis.audit.case import Case
from prunetune.analysis.audit.rule import Flaw, rule


@rule(
    "dense network",
    "error",
    reason="Differences to a weak dense network hide in its weakness (2301.05219); the networks "
    "and the accuracies known to us are listed in analysis/evidence/published.py.",
)
def dense_below_published(case: Case) -> Iterator[Flaw]:
    """A dense network more than 1 point below what is published for it on this data set."""
    for doubt in case.dense_doubts:
        if doubt.kind == "below published":
            yield Flaw(
                "error",
                f"The dense network is weak: {doubt.reason}. The headline is withheld.",
                "Train the dense network for more epochs or by a better recipe (workload.dense).",
                doubt.records,
            )
