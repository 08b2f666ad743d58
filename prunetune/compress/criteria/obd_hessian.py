"""OBD-Hessian: optimal brain damage with the empirical Fisher as curvature."""

from __future__ import annotations

from torch import Tensor, nn

from prunetune.compress.criterion import About, Scene
from prunetune.compress.graph.groups import Group
from prunetune.compress.scoring.bases import BaseCriterion
from prunetune.compress.scoring.passes import ImageParams
from prunetune.compress.scoring.per_unit import Normalize, Reduction, normalized, unit_means
from prunetune.compress.scoring.squared_gradients import squared_gradients
from prunetune.registry import criteria


class ObdHessianParams(ImageParams):
    """Parameters of `obd_hessian`."""

    reduction: Reduction = "mean"
    normalize: Normalize = "none"


@criteria.register("obd_hessian", params=ObdHessianParams)
class ObdHessian(BaseCriterion[ObdHessianParams]):
    """½ Σ w² E[(∂L/∂w)²] over a channel's weights, with each image's gradient squared by itself.

    The weights are those that `magnitude` counts: filters, slices of the readers' filters, and
    scales of norms; biases and shifts are left out. Each of these layers alone can silence a
    channel, so the score is the mean of their sums, not the total.
    """

    about = About(
        paper="LeCun et al., NIPS 1989; Fang et al., CVPR 2023, 2301.12900",
        cost="one forward and backward pass, and each image's own gradients of all weights",
        differs="Every image counts; in torch-pruning each image overwrites the one before, so "
        "only the last counts. Raw scores are ranked; torch-pruning divides a group's by their "
        "mean first.",
    )
    needs = "curvature"

    def score(self, scene: Scene) -> list[Tensor]:
        """See `Criterion`."""
        params = self.params
        names = {member.layer for group in scene.groups for member in group.members}
        layers = [n for n in names if scene.model.get_submodule(n).weight is not None]
        curvature = squared_gradients(scene, "obd_hessian", params.images, layers)
        return [
            normalized(damage(scene.model, group, curvature, params.reduction), params.normalize)
            for group in scene.groups
        ]


def damage(model: nn.Module, group: Group, curvature: dict[str, Tensor], reduction: str) -> Tensor:
    """(units,) ½ Σ w² h over a unit's weights in one layer, then the mean over layers.

    h is the layer's `curvature`; layers without it are left out.
    """
    members = [member for member in group.members if member.layer in curvature]
    return unit_means(
        model, members, lambda name, weight: weight.square() * curvature[name] / 2, reduction
    )
