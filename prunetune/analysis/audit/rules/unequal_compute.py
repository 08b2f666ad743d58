"""Training compute: what a network costs to train, the dense network included."""

from __future__ import annotations

from collections.abc import Hashable, Iterator

from prunetune.analysis.audit.case import Case, by_text
from prunetune.analysis.audit.matched import counts_dense, unmatched
from prunetune.analysis.audit.rule import Flaw, rule
from prunetune.analysis.evidence.compared import Compared
from prunetune.analysis.evidence.training_cost import training_cost
from prunetune.analysis.format import count, listing


@rule(
    "arms",
    "warning",
    reason="The winner changes with the compute that each arm may spend (2301.05219, table 2: "
    "equal MACs over all of training is the strictest rung).",
)
def unequal_compute(case: Case) -> Iterator[Flaw]:
    """Compared networks whose training MACs differ by more than 5 %."""
    differences = ((compared.name, _costs(case, compared)) for compared in unmatched(case))
    for text, places in by_text(differences).items():
        yield Flaw(
            "warning",
            f"Training costs differ ({text}) at {listing(places)}.",
            "Add scratch_b to training.match, or say beside the verdict which arm trained more.",
        )


def _costs(case: Case, compared: Compared) -> dict[str, Hashable]:
    dense = counts_dense(compared)
    costs = {s.arm: training_cost(case.plan, s, with_dense=dense) for s in compared.studies}
    return {arm: f"{count(cost)} MACs" for arm, cost in costs.items()}
