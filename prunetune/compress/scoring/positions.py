"""What layers read and put out at a few sampled positions.

The positions of all images are drawn before the first is passed, so that they do not depend on the
chunks that the images come in, and every layer of every network looks at the same places.
"""

from __future__ import annotations

from typing import Annotated

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from prunetune.compress.criterion import Scene
from prunetune.compress.scoring.passes import Chunks, ImageParams

Layer = nn.Conv2d | nn.Linear
"""What can be looked into."""


class SampleParams(ImageParams):
    """How much of the training images is looked at."""

    positions: Annotated[
        int,
        Field(ge=1, description="sampled per image in a layer's output; all, where it has no more"),
    ] = 10


def draw(scene: Scene, params: SampleParams) -> Tensor:
    """(images, positions) uniform numbers, each a place in an output map of any size."""
    return torch.rand(
        params.images, params.positions, generator=scene.generator, dtype=torch.float64
    )


class PositionSample:
    """Drawn positions, and those of the images that are being passed."""

    def __init__(self, draws: Tensor) -> None:
        self._draws = draws
        self._now = draws[:0]
        self.first = 0
        """The number of the first image that is being passed."""

    def watch(self, model: nn.Module, chunks: Chunks) -> None:
        """Pass all images through a model whose hooks look at this sample."""
        first = 0
        for x, _ in chunks:
            self.move(first, x)
            model(x)
            first += len(x)

    def move(self, first: int, x: Tensor) -> None:
        """From now on the images are `x`, whose first has this number."""
        self.first = first
        self._now = self._draws[first : first + len(x)].to(x.device)

    def inputs(self, layer: Layer, x: Tensor) -> Tensor:
        """What goes into the sampled outputs of `layer`, given its input: float64.

        (convolution groups, rows, channels, kernel elements); a row is a position of an image. For
        a linear layer positions are tokens, or there is one.
        """
        if isinstance(layer, nn.Linear):
            rows = self._picked(x.reshape(len(x), -1, x.shape[-1]).mT)
            return rows.flatten(0, 1)[None, :, :, None].double()
        return self._patches(layer, x).double()

    def outputs(self, layer: Layer, y: Tensor) -> Tensor:
        """Its output at the same rows, without bias: float64 (rows, channels)."""
        flat = y.reshape(len(y), -1, y.shape[-1]).mT if isinstance(layer, nn.Linear) else y
        rows = self._picked(flat.flatten(2)).flatten(0, 1).double()
        return rows if layer.bias is None else rows - layer.bias.double()

    def _picked(self, maps: Tensor) -> Tensor:
        """(n, positions, channels) out of (n, channels, places)."""
        n = torch.arange(len(maps), device=maps.device)[:, None]
        return maps[n, :, self._places(maps.shape[2])]

    def _places(self, size: int) -> Tensor:
        """(n, positions) numbers below `size`; each once where there are no more than asked for."""
        n, positions = self._now.shape
        if size <= positions:
            return torch.arange(size, device=self._now.device).expand(n, size)
        return (self._now * size).long()

    def _patches(self, conv: nn.Conv2d, x: Tensor) -> Tensor:
        mode = "constant" if conv.padding_mode == "zeros" else conv.padding_mode
        x = F.pad(x, conv._reversed_padding_repeated_twice, mode=mode)
        reach = [d * (k - 1) for d, k in zip(conv.dilation, conv.kernel_size, strict=True)]
        high, wide = (
            (size - more - 1) // stride + 1
            for size, more, stride in zip(x.shape[2:], reach, conv.stride, strict=True)
        )
        places = self._places(high * wide)[:, :, None, None]
        down, right = (torch.arange(k, device=x.device) for k in conv.kernel_size)
        row = places // wide * conv.stride[0] + down[:, None] * conv.dilation[0]
        column = places % wide * conv.stride[1] + right * conv.dilation[1]
        n = torch.arange(len(x), device=x.device)[:, None, None, None]
        found = x[n, :, row, column]  # (n, positions, kernel height, kernel width, channels)
        rows, taps = places.numel(), down.numel() * right.numel()
        return found.reshape(rows, taps, conv.groups, -1).permute(2, 0, 3, 1)


def weights(layer: Layer) -> Tensor:
    """(convolution groups, outputs, channels, kernel elements), float64, as `Sample.inputs`."""
    groups = layer.groups if isinstance(layer, nn.Conv2d) else 1
    weight = layer.weight.detach().double()
    return weight.reshape(groups, len(weight) // groups, weight.shape[1], -1)
