"""Taylor: what the loss changes by, to first order, without a channel (Molchanov et al. 2019)."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from pydantic import Field

from prunetune.compress.criterion import About, Scene
from prunetune.compress.scoring.bases import CriterionBase
from prunetune.compress.scoring.gate_gradients import GateParams, gate_gradients
from prunetune.compress.scoring.per_unit import normalized
from prunetune.registry import criteria


class TaylorParams(GateParams):
    """Parameters of `taylor`."""

    form: Annotated[
        Literal["gates", "weights"],
        Field(description="(∂L/∂z)² of gates behind the batch norm, or (Σ w·∂L/∂w)² of filters"),
    ] = "gates"
    batch: Annotated[
        int,
        Field(ge=1, description="images per mean gradient that is squared; the ranking depends on"),
    ] = 128


@criteria.register("taylor", params=TaylorParams)
class Taylor(CriterionBase[TaylorParams]):
    """Square of the loss's mean gradient with respect to a channel's gate, mean over batches."""

    about = About(
        paper="Molchanov et al., CVPR 2019, 1906.10771",
        cost="one forward and backward pass",
        differs="the papers' gate behind batch norm, one for all layers of a group, squared per "
        "batch; there Σ|w·g| of weights, in which batch norm is never counted. "
        "Raw scores are ranked; there a group's are divided by their mean first",
    )
    needs = "gradients"

    def score(self, scene: Scene) -> list[torch.Tensor]:
        """See `Criterion`."""
        how = self.params
        found = gate_gradients(scene, "taylor", how, filters=how.form == "weights")
        return [normalized(squared_means(q, how.batch).mean(0), how.normalize) for q in found]


def squared_means(q: torch.Tensor, batch: int) -> torch.Tensor:
    """(gates, images, units) -> (gates, units): squared means of batches, their mean.

    A last batch that is smaller counts by its images.
    """
    squares = [len(part[0]) * part.mean(1).square() for part in torch.split(q, batch, 1)]
    return torch.stack(squares).sum(0) / q.shape[1]
