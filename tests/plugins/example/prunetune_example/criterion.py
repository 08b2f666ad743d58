"""APoZ: a channel that ReLU mostly sets to zero matters little (Hu et al. 2016, 1607.03250)."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from prunetune.plugin import About, Group, ImageParams, Member, Needs, Scene, criteria, passes


class ApozParams(ImageParams):
    """Parameters of `apoz`: `images`, the number of training images to look at."""


@criteria.register("apoz", params=ApozParams)
class Apoz:
    """The share of a channel's activations that ReLU lets through, mean over its batch norms."""

    about: ClassVar[About] = About(
        paper="Hu et al., 2016, 1607.03250",
        cost="one forward pass",
        differs="torch-pruning has no such criterion",
    )
    needs: ClassVar[Needs] = "activations"

    def __init__(self, params: ApozParams) -> None:
        self.params = params

    def applies(self, model: nn.Module, group: Group) -> bool:
        """Whether the group has a batch norm; a ReLU is assumed to follow it."""
        return bool(norms(model, group))

    def score(self, scene: Scene) -> list[Tensor]:
        """See `Criterion`."""
        passed: dict[str, Tensor] = {}

        def count(name: str) -> Any:
            def hook(layer: nn.Module, inputs: Any, out: Tensor) -> None:
                share = (out > 0).flatten(2).double().mean(2).sum(0).cpu()
                passed[name] = passed[name] + share if name in passed else share

            return hook

        # `passes` gives a copy of the network, where hooks may stay, and charges the MACs
        with passes(scene, "apoz", self.params.images, backward=False) as (model, chunks):
            for name in {m.layer for group in scene.groups for m in norms(model, group)}:
                model.get_submodule(name).register_forward_hook(count(name))
            for x, _ in chunks:
                model(x)
        return [
            torch.stack([per_unit(passed[m.layer], m) for m in norms(scene.model, group)]).mean(0)
            for group in scene.groups
        ]


def norms(model: nn.Module, group: Group) -> list[Member]:
    """The batch norms of the group."""
    return [m for m in group.members if isinstance(model.get_submodule(m.layer), nn.BatchNorm2d)]


def per_unit(values: Tensor, member: Member) -> Tensor:
    """One value per unit: the mean over the unit's channels."""
    return values[torch.from_numpy(member.index)].mean(1)
