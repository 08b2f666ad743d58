"""Whether compared networks train at equal cost: epochs and training MACs, from the plan."""

from __future__ import annotations

from collections.abc import Hashable, Iterator

from prunetune.analysis.audit.case import Case, Compared
from prunetune.plan import Plan, Study
from prunetune.records.record import training_macs

_TOLERANCE = 0.05
"""Costs that differ by less are equal: epochs are whole numbers."""


def unmatched(case: Case) -> Iterator[Compared]:
    """The comparisons in which training MACs differ by more than the tolerance."""
    for compared in case.compared:
        costs = [training_cost(case.plan, study, compared) for study in compared.studies]
        if max(costs) > (1 + _TOLERANCE) * min(costs):
            yield compared


def counts_dense(compared: Compared) -> bool:
    """Whether the dense network's training counts: not under `marginal`, nor if all inherit it."""
    return any(s.matching not in (None, "marginal") for s in compared.studies)


def training_cost(plan: Plan, study: Study, compared: Compared) -> int:
    """Training MACs of one network of the study; an upper bound where trials may sparsify."""
    epochs = study.sparsifying.then if study.sparsifying else study.epochs
    cost = training_macs(plan.computed_macs(study), plan.train_size, epochs)
    dense = _dense_epochs(plan, study, compared)
    return cost + training_macs(plan.dense.macs, plan.train_size, dense)


def epochs_in_all(plan: Plan, study: Study, compared: Compared) -> Hashable:
    """Epochs behind one network of the study."""
    epochs = study.sparsifying.then if study.sparsifying else study.epochs
    return epochs + _dense_epochs(plan, study, compared)


def _dense_epochs(plan: Plan, study: Study, compared: Compared) -> int:
    sparsifying = study.sparsifying.epochs if study.sparsifying else 0
    inherited = (plan.dense.epochs or 0) if study.inherits and counts_dense(compared) else 0
    return sparsifying + inherited
