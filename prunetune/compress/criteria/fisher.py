"""Fisher: remove the channels that change the loss least, to second order (Theis et al. 2018)."""

from __future__ import annotations

from torch import Tensor

from prunetune.compress.criterion import About, Scene
from prunetune.compress.scoring.bases import BaseCriterion
from prunetune.compress.scoring.gate_gradients import GateParams, gate_gradients
from prunetune.compress.scoring.per_unit import normalized
from prunetune.registry import criteria


class FisherParams(GateParams):
    """Parameters of `fisher`."""


@criteria.register("fisher", params=FisherParams)
class Fisher(BaseCriterion[FisherParams]):
    """Half the mean over images of the squared gradient with respect to a channel's gate."""

    about = About(
        paper="Theis et al., 1801.05787; Crowley et al., 1810.04622",
        cost="one forward and backward pass",
        differs="Missing in torch-pruning. Scored in eval mode, so that an image's gradient does "
        "not depend on other images, and with one gate for all layers of a group.",
    )
    needs = "gradients"

    def score(self, scene: Scene) -> list[Tensor]:
        """See `Criterion`."""
        gradients = gate_gradients(scene, "fisher", self.params)
        return [normalized(half_squares(q), self.params.normalize) for q in gradients]


def half_squares(q: Tensor) -> Tensor:
    """(gates, images, units) -> (units,): half the mean square over images, mean over gates."""
    return q.square().mean((0, 1)) / 2
