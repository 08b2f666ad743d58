"""Loaded weights: what they have seen is known only from those who trained them."""

from __future__ import annotations

from collections.abc import Iterator

from prunetune.analysis.audit.case import Case
from prunetune.analysis.audit.rule import Flaw, rule


@rule(
    "dense network",
    "error",
    "warning",
    "note",
    reason="Published checkpoints are usually trained on all training images, so they know our "
    "validation images: recipes for networks that inherit them are then chosen on known images.",
)
def foreign_checkpoint(case: Case) -> Iterator[Flaw]:
    """A dense network that was loaded, and what it may have seen."""
    dense = case.plan.dense
    if dense.source == "train" or not any(s.inherits for s in case.plan.feasible()):
        return
    epochs = "an unknown number of" if dense.epochs is None else f"{dense.epochs}"
    origin = f"The dense network was loaded ({dense.path}, {epochs} epochs); "
    keys = tuple(sorted(r.key for r in case.records.values() if r.phase == "dense"))
    yield _judged(case, origin, keys)


def _judged(case: Case, origin: str, keys: tuple[str, ...]) -> Flaw:
    seen = case.plan.dense.val_seen
    if seen is False:
        said = "the sweep file says that it has not seen the validation images."
        return Flaw("note", origin + said, "Name its source, so that others can check it.", keys)
    if seen is None:
        said = "whether it was trained on our validation images is not said."
        advice = "State val_seen under workload.dense, or train the dense network in the sweep."
        return Flaw("warning", origin + said, advice, keys)
    searched = any(compared.searching() for compared in case.compared)
    said = "it was trained on our validation images" + (
        ", which choose the recipes." if searched else "."
    )
    advice = "Train the dense network in the sweep, or search nothing: fix every recipe."
    return Flaw("error" if searched else "note", origin + said, advice, keys)
