"""The dense network's recipe: tuned arms are compared with it."""

from __future__ import annotations

from collections.abc import Iterator

from prunetune.analysis.audit.case import Case
from prunetune.analysis.audit.rule import Flaw, rule


@rule(
    "dense network",
    "warning",
    reason="Arms with a tuned recipe lose less against an untuned dense network than against a "
    "tuned one; a better recipe alone was worth 4.7 points on ResNet-50 (2309.12854).",
)
def dense_untuned(case: Case) -> Iterator[Flaw]:
    """A dense network trained by the default recipe, beside arms whose recipes are searched."""
    plan = case.plan
    searched = any(compared.searching() for compared in case.compared)
    if plan.dense.source == "train" and not plan.dense.salient and searched:
        yield Flaw(
            "warning",
            "The dense network is trained by the default recipe, while the arms search theirs.",
            "State a tuned recipe under workload.dense.train.recipe, or the published one.",
            _dense_keys(case),
        )


def _dense_keys(case: Case) -> tuple[str, ...]:
    return tuple(sorted(r.key for r in case.records.values() if r.phase == "dense"))
