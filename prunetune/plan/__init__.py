"""The plan: the meaning of a sweep file once its names are bound, as pure data.

`bind` makes the plan, `agenda` deals trials from it, `analysis` judges by it, and `prunetune plan`
prints it. Its hash is fixed before the first trial.
"""

from prunetune.plan.left_alone import LeftAlone
from prunetune.plan.plan import (
    Comparison,
    DensePlan,
    Growth,
    Plan,
    is_searched,
    matchings_of,
    prunes_channels,
    starts_from_dense,
)
from prunetune.plan.study import (
    BATCH_SIZE,
    MASKED,
    SPARSIFIER,
    SPARSIFY_BATCH_SIZE,
    Reach,
    Sparsifying,
    Study,
)

__all__ = [
    "BATCH_SIZE",
    "MASKED",
    "SPARSIFIER",
    "SPARSIFY_BATCH_SIZE",
    "Comparison",
    "DensePlan",
    "Growth",
    "LeftAlone",
    "Plan",
    "Reach",
    "Sparsifying",
    "Study",
    "is_searched",
    "matchings_of",
    "prunes_channels",
    "starts_from_dense",
]
