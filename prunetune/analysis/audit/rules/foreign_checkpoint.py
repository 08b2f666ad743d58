"""Loaded weights: what they have seen is known only from those who trained them."""

from __future__ import annotations

from collections.abc import Iterator

from prunetune.analysis.audit.case import Case
from prunetune.analysis.audit.rule import Flaw, rule


@rule(
    "dense network",
    "warning",
    reason="Published checkpoints are usually trained on all training images, so they know our "
    "validation images: recipes for networks that inherit them are then chosen on known images.",
)
def foreign_checkpoint(case: Case) -> Iterator[Flaw]:
    """A dense network that was loaded, and may have been trained on the validation images."""
    dense = case.plan.dense
    if dense.source != "train" and any(s.inherits for s in case.plan.feasible()):
        yield Flaw(
            "warning",
            f"The dense network was loaded ({dense.path}); its training, with or without our "
            "validation images, is not known here.",
            "Train the dense network in the sweep, or state what it was trained on.",
            tuple(sorted(r.key for r in case.records.values() if r.phase == "dense")),
        )
