"""OBD-C: optimal brain damage per channel with the true Fisher (Wang et al., ICML 2019)."""

from __future__ import annotations

import torch
from torch.nn.modules.batchnorm import _BatchNorm

from prunetune.compress.criteria.obd_hessian import ObdHessianParams, damage
from prunetune.compress.criterion import About, Scene
from prunetune.compress.graph.groups import Group
from prunetune.compress.scoring.bases import CriterionBase
from prunetune.compress.scoring.per_unit import normalized
from prunetune.compress.scoring.squared_gradients import squared_gradients
from prunetune.registry import criteria


class ObdCParams(ObdHessianParams):
    """Parameters of `obd_c`."""


@criteria.register("obd_c", params=ObdCParams)
class ObdC(CriterionBase[ObdCParams]):
    """½ Σ w² E[(∂L/∂w)²] over a channel's filters, labels drawn from the network's own softmax.

    Counted are the filters of the layers that write the channels, as in the paper, biases left out;
    one label is drawn for each image.
    """

    about = About(
        paper="Wang et al., ICML 2019, 1905.05934",
        cost="one forward and backward pass, and each image's own gradients of all filters",
        differs="runs on any network; there it fails on convolutional ones. Raw scores are ranked; "
        "there a group's are divided by their mean first",
    )
    needs = "curvature"

    def score(self, scene: Scene) -> list[torch.Tensor]:
        """See `Criterion`."""
        how = self.params
        names = {member.layer for group in scene.groups for member in group.writers}
        layers = [n for n in names if not isinstance(scene.model.get_submodule(n), _BatchNorm)]
        curvature = squared_gradients(scene, "obd_c", how.images, layers, sampled=True)
        filters = [Group(group.writers) for group in scene.groups]
        return [
            normalized(damage(scene.model, group, curvature, how.reduction), how.normalize)
            for group in filters
        ]
