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
from torch.nn.modules.conv import _ConvNd

from prunetune.compress.criterion import Scene
from prunetune.compress.graph.layout import by_group
from prunetune.compress.scoring.passes import Chunks, ImageParams

Convolution = nn.Conv2d | nn.ConvTranspose2d
Layer = Convolution | nn.Linear
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

    def _patches(self, conv: Convolution, x: Tensor) -> Tensor:
        down, right = (torch.arange(k, device=x.device) for k in conv.kernel_size)
        strides = conv.stride
        if isinstance(conv, nn.ConvTranspose2d):
            x, strides, down, right = spread(conv, x), (1, 1), down.flip(0), right.flip(0)
        else:
            x = padded(conv, x)
        height, width = (
            (size - d * (k - 1) - 1) // stride + 1
            for size, d, k, stride in zip(
                x.shape[2:], conv.dilation, conv.kernel_size, strides, strict=True
            )
        )
        places = self._places(height * width)[:, :, None, None]
        row = places // width * strides[0] + down[:, None] * conv.dilation[0]
        column = places % width * strides[1] + right * conv.dilation[1]
        n = torch.arange(len(x), device=x.device)[:, None, None, None]
        patches = x[n, :, row, column]  # (n, positions, kernel height, kernel width, channels)
        rows, taps = places.numel(), down.numel() * right.numel()
        return patches.reshape(rows, taps, conv.groups, -1).permute(2, 0, 3, 1)


def spread(conv: nn.ConvTranspose2d, x: Tensor) -> Tensor:
    """The input of the plain convolution of stride 1, its kernel turned round, that does the same.

    Zeros stand between the elements of `x`, one less than the stride, and around them.
    """
    sizes = [(n - 1) * stride + 1 for n, stride in zip(x.shape[2:], conv.stride, strict=True)]
    wide = x.new_zeros(*x.shape[:2], *sizes)
    wide[:, :, :: conv.stride[0], :: conv.stride[1]] = x
    edges: list[int] = []
    for axis in (1, 0):  # F.pad takes the last axis first
        span = conv.dilation[axis] * (conv.kernel_size[axis] - 1)
        before = span - int(conv.padding[axis])
        edges += [before, before + conv.output_padding[axis]]
    return F.pad(wide, edges)  # an edge below zero is cropped


def padded(conv: _ConvNd, x: Tensor) -> Tensor:
    """The input `x` with the padding that the convolution gives it."""
    mode = "constant" if conv.padding_mode == "zeros" else conv.padding_mode
    return F.pad(x, conv._reversed_padding_repeated_twice, mode)


def kernel_weights(layer: Layer) -> Tensor:
    """(convolution groups, outputs, channels, kernel elements), float64.

    Channels and kernel elements are in the order of `PositionSample.inputs`.
    """
    blocks = by_group(layer, layer.weight.detach().double())
    return blocks.reshape(*blocks.shape[:3], -1)
