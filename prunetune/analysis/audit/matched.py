"""Whether compared networks train at equal cost, by what their matching promises."""

from __future__ import annotations

from collections.abc import Iterator

from prunetune.analysis.audit.case import Case
from prunetune.analysis.evidence.compared import Compared
from prunetune.analysis.evidence.training_cost import are_equal, training_cost


def unmatched(case: Case) -> Iterator[Compared]:
    """The comparisons whose training MACs differ."""
    for compared in case.compared:
        with_dense = counts_dense(compared)
        costs = [training_cost(case.plan, s, with_dense=with_dense) for s in compared.studies]
        if not are_equal(costs):
            yield compared


def counts_dense(compared: Compared) -> bool:
    """Whether the dense network's training counts: not under `marginal`, nor if all inherit it."""
    return any(s.matching not in (None, "marginal") for s in compared.studies)
