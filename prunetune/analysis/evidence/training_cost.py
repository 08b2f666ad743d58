"""What training one network of a study costs by the plan: epochs and MACs."""

from __future__ import annotations

from collections.abc import Sequence

from prunetune.plan import Plan, Study
from prunetune.records.record import training_macs

EQUAL_WITHIN = 0.05
"""Costs that differ by less count as equal: epochs are whole numbers."""


def training_cost(plan: Plan, study: Study, *, with_dense: bool = True) -> int:
    """Training MACs of one network; an upper bound where trials may sparsify.

    With the dense network, its training counts in full for a network that inherits its weights.
    """
    cost = training_macs(plan.computed_macs(study), plan.train_size, own_epochs(study))
    sparsifying = study.sparsifying.epochs if study.sparsifying else 0
    inherited = _inherited_images(plan, study) if with_dense else 0
    images = sparsifying * plan.train_size + inherited
    return cost + training_macs(plan.dense.macs, images)


def epochs_in_all(plan: Plan, study: Study, *, with_dense: bool = True) -> int:
    """Epochs of our images behind one network, with those of the dense network and of sparsifying.

    A loaded network may have seen more images in an epoch, or fewer.
    """
    sparsifying = study.sparsifying.epochs if study.sparsifying else 0
    inherited = _inherited_images(plan, study) if with_dense else 0
    return own_epochs(study) + sparsifying + round(inherited / plan.train_size)


def own_epochs(study: Study) -> int:
    """Epochs of the network itself, after any sparsifying."""
    return study.sparsifying.then if study.sparsifying else study.epochs


def are_equal(costs: Sequence[int]) -> bool:
    """Whether the largest cost is within the tolerance of the smallest."""
    return max(costs) <= (1 + EQUAL_WITHIN) * min(costs)


def _inherited_images(plan: Plan, study: Study) -> int:
    """Images that the dense network was trained on, over all its epochs."""
    if not study.inherits:
        return 0
    if plan.dense.source == "train":
        return (plan.dense.epochs or 0) * plan.train_size
    return plan.loaded_images
