"""OBD-C: optimal brain damage per channel with the true Fisher (Wang et al., ICML 2019)."""

from __future__ import annotations

from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from prunetune.compress.criteria.obd_hessian import ObdHessianParams, damage
from prunetune.compress.criterion import About, Scene
from prunetune.compress.graph.groups import Group
from prunetune.compress.scoring.bases import BaseCriterion
from prunetune.compress.scoring.per_unit import normalized
from prunetune.compress.scoring.squared_gradients import squared_gradients
from prunetune.registry import criteria


class ObdCParams(ObdHessianParams):
    """Parameters of `obd_c`."""


@criteria.register("obd_c", params=ObdCParams)
class ObdC(BaseCriterion[ObdCParams]):
    """½ Σ w² E[(∂L/∂w)²] over a channel's filters, labels drawn from the network's own softmax.

    As in the paper, the filters of the layers that write the channels count, without biases. One
    label is drawn per image.
    """

    about = About(
        paper="Wang et al., ICML 2019, 1905.05934",
        cost="one forward and backward pass, and each image's own gradients of all filters",
        differs="Runs on any network; torch-pruning's fails on convolutional ones. Raw scores are "
        "ranked; torch-pruning divides a group's by their mean first.",
    )
    needs = "curvature"

    def score(self, scene: Scene) -> list[Tensor]:
        """See `Criterion`."""
        params = self.params
        names = {member.layer for group in scene.groups for member in group.writers}
        layers = [n for n in names if not isinstance(scene.model.get_submodule(n), _BatchNorm)]
        curvature = squared_gradients(scene, "obd_c", params.images, layers, sampled=True)
        writing = [Group(group.writers) for group in scene.groups]
        return [
            normalized(damage(scene.model, group, curvature, params.reduction), params.normalize)
            for group in writing
        ]
