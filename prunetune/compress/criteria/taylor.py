"""Taylor: remove the channels that change the loss least, to first order.

Molchanov et al., CVPR 2019, 1906.10771.
"""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from prunetune.compress.criterion import About, Scene
from prunetune.compress.scoring.bases import BaseCriterion
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
        Field(ge=1, description="images per mean gradient that is squared; changes the ranking"),
    ] = 128


@criteria.register("taylor", params=TaylorParams)
class Taylor(BaseCriterion[TaylorParams]):
    """Square of the loss's mean gradient with respect to a channel's gate, mean over batches."""

    about = About(
        paper="Molchanov et al., CVPR 2019, 1906.10771",
        cost="one forward and backward pass",
        differs="As in the paper, gradients are of a gate behind batch norm; all layers of a group "
        "share one, and it is squared per batch. torch-pruning sums |w·g| over weights and never "
        "counts batch norm. Raw scores are ranked; torch-pruning divides a group's by their mean "
        "first.",
    )
    needs = "gradients"

    def score(self, scene: Scene) -> list[Tensor]:
        """See `Criterion`."""
        params = self.params
        gradients = gate_gradients(scene, "taylor", params, filters=params.form == "weights")
        return [
            normalized(squared_means(q, params.batch).mean(0), params.normalize) for q in gradients
        ]


def squared_means(q: Tensor, batch: int) -> Tensor:
    """(gates, images, units) -> (gates, units): each batch's mean squared, then the mean of those.

    A last batch that is smaller weighs less, in proportion to its images.
    """
    squares = [len(part[0]) * part.mean(1).square() for part in torch.split(q, batch, 1)]
    return torch.stack(squares).sum(0) / q.shape[1]
