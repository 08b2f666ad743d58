"""The gate: an under-trained dense network flatters pruning, and the headline is withheld."""

from __future__ import annotations

from collections.abc import Iterator

from prunetune.analysis.audit.case import Case
from prunetune.analysis.audit.rule import Flaw, rule


@rule(
    "dense network",
    "error",
    reason="Fine-tuning an under-trained network is its missing training, which a thin network "
    "does not get. A compact network above its dense network shows just that.",
)
def dense_undertrained(case: Case) -> Iterator[Flaw]:
    """A dense network below a compact one, or still gaining more than a verdict claims."""
    for doubt in case.dense_doubts:
        if doubt.kind != "below published":
            yield Flaw(
                "error",
                f"The dense network seems under-trained: {doubt.reason}. The headline is withheld.",
                "Train the dense network for more epochs or by a better recipe (workload.dense).",
                doubt.records,
            )
