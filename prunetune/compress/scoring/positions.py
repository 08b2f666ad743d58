"""A layer's inputs and outputs at a few sampled positions of each image.

The positions of all images are drawn before the first image is passed. So they do not depend on
the chunks in which the images come, and every layer of every network uses the same draws.
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
"""The kinds of layers whose inputs and outputs can be sampled."""


class SampleParams(ImageParams):
    """How many training images are sampled, and at how many positions each."""

    positions: Annotated[
        int,
        Field(ge=1, description="sampled per image in a layer's output; all if it has no more"),
    ] = 10


def draw_positions(scene: Scene, params: SampleParams) -> Tensor:
    """(images, positions) uniform numbers in [0, 1), each a place in an output map of any size."""
    return torch.rand(
        params.images, params.positions, generator=scene.generator, dtype=torch.float64
    )


class PositionSample:
    """The drawn positions of all images, and of the chunk of images that is being passed."""

    def __init__(self, draws: Tensor) -> None:
        self._draws = draws
        self._chunk_draws = draws[:0]
        self.first = 0
        """The number of the chunk's first image."""

    def pass_through(self, model: nn.Module, chunks: Chunks) -> None:
        """Pass all images through a model whose hooks use this sample."""
        first = 0
        for x, _ in chunks:
            self.move(first, x)
            model(x)
            first += len(x)

    def move(self, first: int, x: Tensor) -> None:
        """Make `x` the chunk that is being passed; its first image has the number `first`."""
        self.first = first
        self._chunk_draws = self._draws[first : first + len(x)].to(x.device)

    def inputs(self, layer: Layer, x: Tensor) -> Tensor:
        """The parts of the layer's input `x` from which it computes the sampled outputs: float64.

        (convolution groups, rows, channels, kernel elements); each row is one position of one
        image. The positions of a linear layer are tokens; without tokens it has one position.
        """
        if isinstance(layer, nn.Linear):
            rows = self._at_positions(x.reshape(len(x), -1, x.shape[-1]).mT)
            return rows.flatten(0, 1)[None, :, :, None].double()
        return self._patches(layer, x).double()

    def outputs(self, layer: Layer, y: Tensor) -> Tensor:
        """The layer's output `y` at the same rows, without its bias: float64 (rows, channels)."""
        maps = y.reshape(len(y), -1, y.shape[-1]).mT if isinstance(layer, nn.Linear) else y
        rows = self._at_positions(maps.flatten(2)).flatten(0, 1).double()
        return rows if layer.bias is None else rows - layer.bias.double()

    def _at_positions(self, maps: Tensor) -> Tensor:
        """(n, positions, channels) out of (n, channels, places)."""
        n = torch.arange(len(maps), device=maps.device)[:, None]
        return maps[n, :, self._places(maps.shape[2])]

    def _places(self, size: int) -> Tensor:
        """(n, positions) places in a map of `size`; all places, once each, if they are few."""
        n, positions = self._chunk_draws.shape
        if size <= positions:
            return torch.arange(size, device=self._chunk_draws.device).expand(n, size)
        return (self._chunk_draws * size).long()

    def _patches(self, conv: nn.Conv2d, x: Tensor) -> Tensor:
        x = padded(conv, x)
        spans = [d * (k - 1) for d, k in zip(conv.dilation, conv.kernel_size, strict=True)]
        height, width = (
            (size - span - 1) // stride + 1
            for size, span, stride in zip(x.shape[2:], spans, conv.stride, strict=True)
        )
        places = self._places(height * width)[:, :, None, None]
        down, right = (torch.arange(k, device=x.device) for k in conv.kernel_size)
        row = places // width * conv.stride[0] + down[:, None] * conv.dilation[0]
        column = places % width * conv.stride[1] + right * conv.dilation[1]
        n = torch.arange(len(x), device=x.device)[:, None, None, None]
        patches = x[n, :, row, column]  # (n, positions, kernel height, kernel width, channels)
        rows, taps = places.numel(), down.numel() * right.numel()
        return patches.reshape(rows, taps, conv.groups, -1).permute(2, 0, 3, 1)


def padded(conv: nn.Conv2d, x: Tensor) -> Tensor:
    """The input `x` with the padding that the convolution gives it."""
    mode = "constant" if conv.padding_mode == "zeros" else conv.padding_mode
    return F.pad(x, conv._reversed_padding_repeated_twice, mode)


def kernel_weights(layer: Layer) -> Tensor:
    """(convolution groups, outputs, channels, kernel elements), float64.

    Channels and kernel elements are in the order of `PositionSample.inputs`.
    """
    groups = layer.groups if isinstance(layer, nn.Conv2d) else 1
    weight = layer.weight.detach().double()
    return weight.reshape(groups, len(weight) // groups, weight.shape[1], -1)
