"""FPGM: filters near the geometric median are redundant (He et al., CVPR 2019, 1811.00250)."""

from __future__ import annotations

import torch
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
    """Sum of Euclidean distances to all other filters of the layer, over the layers that write."""

    about = About(
        paper="He et al., CVPR 2019, 1811.00250",
        cost="weights alone",
        differs="distances of the raw filters, as published; there of |w|^p, so that signs are "
        "lost, and of the readers' slices as well",
    )

    def score_group(self, scene: Scene, group: Group) -> torch.Tensor:
        """See `GroupwiseCriterion`."""
        layers = [(member, scene.model.get_submodule(member.layer)) for member in group.writers]
        written = [(m, layer) for m, layer in layers if not isinstance(layer, _BatchNorm)]
        if self.params.reduction == "first":
            written = written[:1]
        sums = [per_unit(distance_sums(filters(layer)), m) for m, layer in written]
        return normalized(torch.stack(sums).mean(0), self.params.normalize)


def distance_sums(rows: torch.Tensor) -> torch.Tensor:
    """Σ_j ‖row_i - row_j‖₂ per row.

    Rows are centred first: the distances stay, and the fast way of taking them (by products) loses
    fewer digits.
    """
    centred = rows - rows.mean(0)
    return torch.cdist(centred, centred).sum(1)
