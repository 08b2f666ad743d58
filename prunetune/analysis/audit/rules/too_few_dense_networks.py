"""Dense networks: what is said of pruning should not hang on the luck of one network."""

from __future__ import annotations

from collections.abc import Iterator

from prunetune.analysis.audit.case import Case
from prunetune.analysis.audit.rule import Flaw, rule
from prunetune.analysis.audit.rules.too_few_seeds import LEAST_RESULTS
from prunetune.analysis.format import plural
from prunetune.plan import Plan


@rule(
    "amount",
    "warning",
    reason="The luck of a dense network passes to all that inherit its weights. Shared by all "
    "seeds, it makes identical arms differ in 8 to 21 % of simulated sweeps, however many "
    "searches there are.",
)
def too_few_dense_networks(case: Case) -> Iterator[Flaw]:
    """Weights inherited from fewer than three dense networks, although seeds have their own."""
    networks = n_dense_networks(case.plan)
    own = case.plan.dense_fresh or networks > 1  # one for all seeds: see shared_dense_network
    if own and any(s.inherits for s in case.plan.feasible()) and networks < LEAST_RESULTS:
        yield Flaw(
            "warning",
            f"All confirmed networks that inherit weights stand on "
            f"{plural(networks, 'dense network')}.",
            "Let every confirm seed have its own (confirm.dense: fresh), or say in every sentence "
            "that it holds on this dense network.",
        )


def n_dense_networks(plan: Plan) -> int:
    """The number of dense networks behind the confirmed networks of an arm."""
    if plan.dense_fresh:
        return plan.confirm.seeds * plan.replicates
    return plan.replicates if plan.dense.source == "train" else 1
