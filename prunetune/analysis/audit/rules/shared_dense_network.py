"""One dense network for all seeds: its luck is in every result and in no interval."""

from __future__ import annotations

from collections.abc import Iterator

from prunetune.analysis.audit.case import Case
from prunetune.analysis.audit.rule import Flaw, rule
from prunetune.analysis.format import listing


@rule(
    "dense network",
    "warning",
    reason="With one dense network the spread over seeds leaves out the spread over dense "
    "networks (0.15 points in our simulations); identical arms then differ too often.",
)
def shared_dense_network(case: Case) -> Iterator[Flaw]:
    """Confirm seeds that all start from the same dense network."""
    heirs = dict.fromkeys(study.arm for study in case.plan.feasible() if study.inherits)
    if heirs and not case.plan.dense_fresh:
        keys = (r.key for r in case.records.values() if r.phase == "dense")
        yield Flaw(
            "warning",
            f"All confirm seeds of {listing(heirs)} start from the dense network of the search.",
            "Set confirm.dense: fresh where the dense network is trained; else write `on this "
            "dense network` beside every verdict.",
            tuple(sorted(keys)),
        )
