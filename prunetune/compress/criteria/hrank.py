"""HRank: feature maps of low rank carry little (Lin et al., CVPR 2020, 2002.10179)."""

from __future__ import annotations

import weakref
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor, nn

from prunetune.compress.criterion import About, Scene
from prunetune.compress.graph.groups import Group, Member
from prunetune.compress.scoring.bases import CriterionBase
from prunetune.compress.scoring.passes import ImageParams, passes
from prunetune.compress.scoring.per_unit import Normalize, normalized
from prunetune.compress.scoring.readers import readers
from prunetune.registry import criteria

BLOCK = 2**22
"""Numbers in the maps whose ranks are taken at once."""


class HrankParams(ImageParams):
    """Parameters of `hrank`; published with 5 batches of 128 images."""

    images: Annotated[int, Field(ge=1, description="training images to score on")] = 640
    normalize: Normalize = "mean"


@criteria.register("hrank", params=HrankParams)
class Hrank(CriterionBase[HrankParams]):
    """Rank of a channel's feature map after activation, mean over images.

    The maps are those that the group's convolutions read, mean over them; a map that several read
    (a block and its shortcut) counts once. Where no convolution reads the group, because pooling or
    flattening follows, it is what its last batch norm or convolution puts out, rectified.
    """

    about = About(
        paper="Lin et al., CVPR 2020, 2002.10179",
        cost="one forward pass, and a singular value decomposition per channel, map and image",
        differs="missing there; elsewhere ranks behind a fresh batch norm and ReLU. Scored once a "
        "round, not anew after every layer; on a residual stream the mean over the maps that are "
        "read behind its sums, not over what each writer puts into them",
    )
    needs = "activations"

    def applies(self, model: nn.Module, group: Group) -> bool:
        """Where the group has maps of two dimensions: convolutions read it, or nothing else writes.

        Tokens have none.
        """
        return bool(sources(model, group))

    def score(self, scene: Scene) -> list[Tensor]:
        """See `Criterion`."""
        books = [_Book(group) for group in scene.groups]
        with passes(scene, "hrank", self.params.images, backward=False) as (model, chunks):
            for group, book in zip(scene.groups, books, strict=True):
                for member in sources(model, group):
                    model.get_submodule(member.layer).register_forward_hook(book.hook(member))
            for x, _ in chunks:
                model(x)
        return [normalized(book.total / book.maps, self.params.normalize) for book in books]


def sources(model: nn.Module, group: Group) -> list[Member]:
    """The members at whose input, or else output, the group's feature maps are seen."""
    found = [m for m in readers(group) if isinstance(model.get_submodule(m.layer), nn.Conv2d)]
    writers = [(m, model.get_submodule(m.layer)) for m in group.writers]
    if not found and all(isinstance(w, nn.Conv2d | nn.BatchNorm2d) for _, w in writers):
        found = [writers[-1][0]]
    return found


class _Book:
    """The ranks of one group's maps."""

    def __init__(self, group: Group) -> None:
        self.total = torch.zeros(group.width, dtype=torch.float64)
        self.maps = 0
        self._last: Any = lambda: None

    def hook(self, member: Member) -> Any:
        """A forward hook that takes the ranks of the member's side of its layer."""

        def hook(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            seen = inputs[0] if member.side == "in" else output
            if self._last() is seen:
                return
            self._last = weakref.ref(seen)
            maps = seen if member.side == "in" else seen.relu()
            self.total += ranks(maps).sum(0).cpu()[torch.from_numpy(member.index)].mean(1)
            self.maps += len(maps)

        return hook


def ranks(maps: Tensor) -> Tensor:
    """(n, channels) ranks of maps (n, channels, height, width), in float32."""
    n, channels, height, width = maps.shape
    parts = torch.split(maps.float().reshape(-1, height, width), max(1, BLOCK // (height * width)))
    return torch.cat([torch.linalg.matrix_rank(part) for part in parts]).view(n, channels).double()
