"""Everything that an author of a part imports, from one place: `from prunetune.plugin import …`.

prunetune/README.md explains each kind of part. Nothing in this package imports this module.
"""

from prunetune.compress.budget.costs import CostTable
from prunetune.compress.budget.ranking import Step
from prunetune.compress.budget.select import select
from prunetune.compress.criterion import About, Criterion, Needs, Scene
from prunetune.compress.graph.groups import DeclaresUnits, Group, Member
from prunetune.compress.method import (
    CompactModel,
    Context,
    Infeasible,
    Method,
    Shrinking,
    Target,
    try_to_reach,
)
from prunetune.compress.network.cut import cut, kept_channels
from prunetune.compress.network.rebuild import family_network, layer_widths
from prunetune.compress.proof.proved_groups import prunable_groups
from prunetune.compress.regularizer import Regularizer, Strength
from prunetune.compress.scoring.bases import BaseCriterion, GroupwiseCriterion
from prunetune.compress.scoring.passes import ImageParams, passes
from prunetune.config.parts import Kind, Named, Params
from prunetune.config.recipe import Augment
from prunetune.data.dataset import Dataset, DatasetInfo, DatasetParams, Splits
from prunetune.data.resident import Images, ResidentDataset
from prunetune.models.family import (
    BaseFamily,
    Family,
    FixedFamily,
    ScalableFamily,
    check_widths,
    classifier,
)
from prunetune.models.pretrained import WeightsFileError
from prunetune.plan import Reach
from prunetune.protocols import Batch, Batches, Hook, Shape, Split, Stateful
from prunetune.records.architecture import Architecture
from prunetune.registry import (
    criteria,
    datasets,
    methods,
    models,
    optimizers,
    regularizers,
    schedules,
)
from prunetune.train.optim import ParamGroups

__all__ = [
    "About", "Architecture", "Augment", "BaseCriterion", "BaseFamily", "Batch", "Batches",
    "CompactModel", "Context", "CostTable", "Criterion", "Dataset", "DatasetInfo", "DatasetParams",
    "DeclaresUnits", "Family", "FixedFamily", "Group", "GroupwiseCriterion", "Hook", "ImageParams",
    "Images", "Infeasible", "Kind", "Member", "Method", "Named", "Needs", "ParamGroups", "Params",
    "Reach", "Regularizer", "ResidentDataset", "ScalableFamily", "Scene", "Shape", "Shrinking",
    "Split", "Splits", "Stateful", "Step", "Strength", "Target", "WeightsFileError", "check_widths",
    "classifier", "criteria", "cut", "datasets", "family_network", "kept_channels", "layer_widths",
    "methods", "models", "optimizers", "passes", "prunable_groups", "regularizers", "schedules",
    "select", "try_to_reach",
]  # fmt: skip
