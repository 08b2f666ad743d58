"""Activation: a channel that is hardly active matters little (Li et al., ICLR 2017, 1608.08710)."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from prunetune.compress.criterion import About, Scene
from prunetune.compress.graph.groups import Group
from prunetune.compress.scoring.bases import CriterionBase
from prunetune.compress.scoring.passes import ImageParams, passes
from prunetune.compress.scoring.per_unit import Normalize, Reduction, normalized, per_unit
from prunetune.registry import criteria


class ActivationParams(ImageParams):
    """Parameters of `activation`."""

    reduction: Reduction = "mean"
    normalize: Normalize = "mean"


@criteria.register("activation", params=ActivationParams)
class Activation(CriterionBase[ActivationParams]):
    """Mean absolute activation of a channel as its readers see it.

    That is what goes into the convolutions and linear layers behind norm, non-linearity and
    pooling; mean over images, positions and a unit's channels, then over the group's readers.
    """

    about = About(
        paper="Li et al., ICLR 2017, 1608.08710",
        cost="one forward pass",
        differs="all images count, and linear readers by their mean; there the last batch alone, "
        "and linear readers by their sum",
    )
    needs = "activations"

    def applies(self, model: nn.Module, group: Group) -> bool:
        """Where anything reads the group."""
        return any(member.side == "in" for member in group.members)

    def score(self, scene: Scene) -> list[Tensor]:
        """See `Criterion`."""
        readers = [[m for m in g.members if m.side == "in"] for g in scene.groups]
        if self.params.reduction == "first":
            readers = [members[:1] for members in readers]
        seen = mean_magnitudes(
            scene, "activation", self.params.images, {m.layer for ms in readers for m in ms}
        )
        return [
            normalized(
                torch.stack([per_unit(seen[m.layer], m) / m.index.shape[1] for m in ms]).mean(0),
                self.params.normalize,
            )
            for ms in readers
        ]


def mean_magnitudes(
    scene: Scene, criterion: str, images: int, layers: Collection[str]
) -> dict[str, Tensor]:
    """Per layer E|x| of each channel that goes into it, float64 on the CPU."""
    totals: dict[str, list[Tensor]] = {name: [] for name in layers}
    counts: dict[str, int] = dict.fromkeys(layers, 0)

    def look(name: str, layer: nn.Module, inputs: Any) -> None:
        (x,) = inputs
        channels = x.dim() - 1 if isinstance(layer, nn.Linear) else 1
        others = [dim for dim in range(x.dim()) if dim != channels]
        norms = torch.linalg.vector_norm(x, 1, others)  # in one pass, without a copy of x
        totals[name].append(norms.double().cpu())
        counts[name] += x.numel() // x.shape[channels]

    with passes(scene, criterion, images, backward=False) as (model, chunks):
        for name in layers:
            model.get_submodule(name).register_forward_pre_hook(partial(look, name))
        for x, _ in chunks:
            model(x)
    return {name: torch.stack(found).sum(0) / counts[name] for name, found in totals.items()}
