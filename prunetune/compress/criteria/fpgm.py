"""FPGM: remove filters near the geometric median (He et al., CVPR 2019, 1811.00250).

Such a filter is redundant, for other filters can stand in for it.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from prunetune.compress.criterion import About, Scene
from prunetune.compress.graph.groups import Group
from prunetune.compress.scoring.bases import GroupwiseCriterion
from prunetune.compress.scoring.per_unit import WeightParams, filters, normalized, per_unit
from prunetune.registry import criteria


class FpgmParams(WeightParams):
    """Parameters of `fpgm`."""


@criteria.register("fpgm", params=FpgmParams)
class Fpgm(GroupwiseCriterion[FpgmParams]):
    """Sum of a filter's Euclidean distances to the layer's other filters, mean over the writers."""

    about = About(
        paper="He et al., CVPR 2019, 1811.00250",
        cost="weights alone",
        differs="Distances are between the raw filters, as published; torch-pruning takes them "
        "between |w|^p, which loses the signs, and counts the readers' slices as well.",
    )

    def score_group(self, scene: Scene, group: Group) -> Tensor:
        """See `GroupwiseCriterion`."""
        writers = [(member, scene.model.get_submodule(member.layer)) for member in group.writers]
        filtering = [(m, layer) for m, layer in writers if not isinstance(layer, _BatchNorm)]
        if self.params.reduction == "first":
            filtering = filtering[:1]
        sums = [per_unit(distance_sums(filters(layer)), member) for member, layer in filtering]
        return normalized(torch.stack(sums).mean(0), self.params.normalize)


def distance_sums(rows: Tensor) -> Tensor:
    """Σ_j ‖row_i - row_j‖₂ for each row i.

    The rows are centred first. That changes no distance, and the fast algorithm for distances,
    which uses matrix products, then loses fewer digits.
    """
    centred = rows - rows.mean(0)
    return torch.cdist(centred, centred).sum(1)
