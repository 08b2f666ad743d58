"""Activation: remove channels with small activations (Li et al., ICLR 2017, 1608.08710)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from prunetune.compress.criterion import About, Scene
from prunetune.compress.graph.groups import Group, Member
from prunetune.compress.scoring.bases import BaseCriterion
from prunetune.compress.scoring.passes import ImageParams, passes
from prunetune.compress.scoring.per_unit import Normalize, Reduction, normalized, per_unit
from prunetune.compress.scoring.readers import readers
from prunetune.registry import criteria


class ActivationParams(ImageParams):
    """Parameters of `activation`."""

    reduction: Reduction = "mean"
    normalize: Normalize = "mean"


@criteria.register("activation", params=ActivationParams)
class Activation(BaseCriterion[ActivationParams]):
    """Mean absolute activation of a channel as its readers see it.

    Readers are convolutions and linear layers; they see the channel behind norm, non-linearity and
    pooling. The mean is over images, positions and a unit's channels, then over the group's
    readers.
    """

    about = About(
        paper="Li et al., ICLR 2017, 1608.08710",
        cost="one forward pass",
        differs="Every image counts, and linear readers count by their mean; torch-pruning takes "
        "the last batch alone, and sums over linear readers.",
    )
    needs = "activations"

    def applies(self, model: nn.Module, group: Group) -> bool:
        """True if any layer reads the group."""
        return bool(readers(group))

    def score(self, scene: Scene) -> list[Tensor]:
        """See `Criterion`."""
        read_by = [readers(group) for group in scene.groups]
        if self.params.reduction == "first":
            read_by = [members[:1] for members in read_by]
        layers = {member.layer for members in read_by for member in members}
        means = mean_magnitudes(scene, "activation", self.params.images, layers)
        return [self._group_scores(means, members) for members in read_by]

    def _group_scores(self, means: dict[str, Tensor], members: Sequence[Member]) -> Tensor:
        by_reader = [per_unit(means[m.layer], m) / m.index.shape[1] for m in members]
        return normalized(torch.stack(by_reader).mean(0), self.params.normalize)


def mean_magnitudes(
    scene: Scene, criterion: str, images: int, layers: Collection[str]
) -> dict[str, Tensor]:
    """Per layer the mean of |x| over each channel of its input, float64 on the CPU."""
    sums: dict[str, list[Tensor]] = {name: [] for name in layers}
    counts: dict[str, int] = dict.fromkeys(layers, 0)

    def add_input(name: str, layer: nn.Module, inputs: Any) -> None:
        (x,) = inputs
        channels = x.dim() - 1 if isinstance(layer, nn.Linear) else 1
        others = [dim for dim in range(x.dim()) if dim != channels]
        norms = torch.linalg.vector_norm(x, 1, others)  # Σ|x| without a copy of x for |x|
        sums[name].append(norms.double().cpu())
        counts[name] += x.numel() // x.shape[channels]

    with passes(scene, criterion, images, backward=False) as (model, chunks):
        for name in layers:
            model.get_submodule(name).register_forward_pre_hook(partial(add_input, name))
        for x, _ in chunks:
            model(x)
    return {name: torch.stack(parts).sum(0) / counts[name] for name, parts in sums.items()}
