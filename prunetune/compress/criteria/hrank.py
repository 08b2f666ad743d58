"""HRank: remove channels with feature maps of low rank (Lin et al., CVPR 2020, 2002.10179)."""

from __future__ import annotations

import weakref
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor, nn

from prunetune.compress.criterion import About, Scene
from prunetune.compress.graph.groups import Group, Member
from prunetune.compress.scoring.bases import BaseCriterion
from prunetune.compress.scoring.passes import ImageParams, passes
from prunetune.compress.scoring.per_unit import Normalize, normalized
from prunetune.compress.scoring.readers import readers
from prunetune.registry import criteria

_Convolution = nn.Conv2d | nn.ConvTranspose2d
_MAP_ELEMENTS_AT_ONCE = 2**22
"""Most elements of the maps whose ranks are computed in one call."""


class HrankParams(ImageParams):
    """Parameters of `hrank`; published with 5 batches of 128 images."""

    images: Annotated[int, Field(ge=1, description="training images to score on")] = 640
    normalize: Normalize = "mean"


@criteria.register("hrank", params=HrankParams)
class Hrank(BaseCriterion[HrankParams]):
    """Rank of a channel's feature map after activation, mean over images.

    The maps are those that the group's convolutions read, and the rank is the mean over them. A map
    that several convolutions read (a block and its shortcut) counts once. If no convolution reads
    the group, because pooling or flattening follows, the map is the output of the group's last
    batch norm or convolution behind a ReLU.
    """

    about = About(
        paper="Lin et al., CVPR 2020, 2002.10179",
        cost="one forward pass, and a singular value decomposition per channel, map and image",
        differs="Missing in torch-pruning; other libraries take ranks behind a fresh batch norm "
        "and ReLU. Ranks are taken once a round, not again after every layer. On a residual "
        "stream they are the mean over the maps read behind its sums, not over each writer's own.",
    )
    needs = "activations"

    def applies(self, model: nn.Module, group: Group) -> bool:
        """True if the group has two-dimensional maps: convolutions read it, or they alone write it.

        Tokens have no such maps.
        """
        return bool(map_members(model, group))

    def score(self, scene: Scene) -> list[Tensor]:
        """See `Criterion`."""
        sums = [_RankSums(group) for group in scene.groups]
        with passes(scene, "hrank", self.params.images, backward=False) as (model, chunks):
            for group, group_sums in zip(scene.groups, sums, strict=True):
                for member in map_members(model, group):
                    layer = model.get_submodule(member.layer)
                    layer.register_forward_hook(group_sums.hook(member))
            for x, _ in chunks:
                model(x)
        return [normalized(s.ranks / s.maps, self.params.normalize) for s in sums]


def map_members(model: nn.Module, group: Group) -> list[Member]:
    """The members at whose input, or else output, the group's feature maps are taken."""
    reading = [m for m in readers(group) if isinstance(model.get_submodule(m.layer), _Convolution)]
    if reading:
        return reading
    writers = [(member, model.get_submodule(member.layer)) for member in group.writers]
    if all(isinstance(layer, _Convolution | nn.BatchNorm2d) for _, layer in writers):
        return [writers[-1][0]]
    return []


class _RankSums:
    """The ranks of one group's maps, summed over the images passed so far."""

    def __init__(self, group: Group) -> None:
        self.ranks = torch.zeros(group.width, dtype=torch.float64)
        """(units,) Σ over maps of the rank, mean over a unit's channels."""
        self.maps = 0
        self._last_maps: Any = lambda: None
        """A weak reference, which keeps no maps in memory."""

    def hook(self, member: Member) -> Any:
        """A forward hook that adds the ranks of the maps on the member's side of its layer."""

        def hook(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            maps = inputs[0] if member.side == "in" else output
            if self._last_maps() is maps:  # another layer has read the same maps
                return
            self._last_maps = weakref.ref(maps)
            active = maps if member.side == "in" else maps.relu()
            channel_ranks = matrix_ranks(active).sum(0).cpu()
            self.ranks += channel_ranks[torch.from_numpy(member.index)].mean(1)
            self.maps += len(active)

        return hook


def matrix_ranks(maps: Tensor) -> Tensor:
    """(n, channels) ranks of maps (n, channels, height, width), computed in float32."""
    n, channels, height, width = maps.shape
    size = max(1, _MAP_ELEMENTS_AT_ONCE // (height * width))
    parts = torch.split(maps.float().reshape(-1, height, width), size)
    return torch.cat([torch.linalg.matrix_rank(part) for part in parts]).view(n, channels).double()
