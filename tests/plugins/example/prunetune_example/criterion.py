"""APoZ: a channel that ReLU mostly silences matters little (Hu et al. 2016, 1607.03250)."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from prunetune.compress.criterion import About, Needs, Scene
from prunetune.compress.graph.groups import Group, Member
from prunetune.compress.scoring.passes import ImageParams, passes
from prunetune.registry import criteria


class ApozParams(ImageParams):
    """Parameters of `apoz`: `images`, how many are looked at."""


@criteria.register("apoz", params=ApozParams)
class Apoz:
    """How often ReLU lets a channel's activations through, mean over its batch norms."""

    about: ClassVar[About] = About(
        paper="Hu et al., 2016, 1607.03250", cost="one forward pass", differs="not there"
    )
    needs: ClassVar[Needs] = "activations"

    def __init__(self, params: ApozParams) -> None:
        self.params = params

    def applies(self, model: nn.Module, group: Group) -> bool:
        """Where a batch norm stands before the ReLU."""
        return bool(norms(model, group))

    def score(self, scene: Scene) -> list[Tensor]:
        """See `Criterion`."""
        passed: dict[str, Tensor] = {}

        def count(name: str) -> Any:
            def hook(layer: nn.Module, inputs: Any, out: Tensor) -> None:
                share = (out > 0).flatten(2).double().mean(2).sum(0).cpu()
                passed[name] = passed[name] + share if name in passed else share

            return hook

        # `passes` gives a copy of the network, so that hooks stay on nothing, and charges the MACs
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
    """The group's batch norms."""
    return [m for m in group.members if isinstance(model.get_submodule(m.layer), nn.BatchNorm2d)]


def per_unit(values: Tensor, member: Member) -> Tensor:
    """Values per channel, as the mean over each unit's channels."""
    return values[torch.from_numpy(member.index)].mean(1)
