"""Least squares that restore the outputs of layers whose input channels were cut away.

The readers are mended in forward order. A reader's inputs come from the cut network, in which the
readers before it are mended already; its targets are the outputs of the dense network, before all
rounds, at the same positions. The fit is a change of the weights with light damping. So weights of
dead channels, and layers that lack nothing, stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import accumulate
from typing import Annotated, Any, Protocol

import torch
from pydantic import Field
from torch import Tensor, nn

from prunetune.compress.budget.costs import count_macs
from prunetune.compress.criterion import Scene
from prunetune.compress.graph.layout import by_group, by_output
from prunetune.compress.scoring.passes import passes
from prunetune.compress.scoring.positions import (
    Layer,
    PositionSample,
    SampleParams,
    draw_positions,
    kernel_weights,
)
from prunetune.compress.scoring.readers import readers

_DAMPING = 1e-6
"""The ridge, as a share of the mean energy of the variables."""
_MAP_ELEMENTS_AT_ONCE = 2**27
"""Most elements, over the images of a chunk, of the largest map that a reader takes or gives."""


class RefitParams(SampleParams):
    """Whether the layers that read removed channels are mended, with the same number of images."""

    refit: Annotated[
        bool, Field(description="fit the readers of removed channels to their former outputs")
    ] = True


class Fit(Protocol):
    """Least squares for one reader, whose rows come in portions."""

    def add(self, inputs: Tensor, missing: Tensor) -> None:
        """Add rows: `inputs` as from `PositionSample.inputs`, and `missing` (groups, rows, outputs)
        as target minus current output."""

    def change(self) -> Tensor:
        """The change to add to the weights; zero if there are too few equations for a fit."""


MakeFit = Callable[[Tensor, int], Fit]
"""Makes a `Fit` from a reader's weights, as from `kernel_weights`, and the total number of rows."""


def damped_solution(gram: Tensor, cross: Tensor) -> Tensor:
    """The solution s of (G + damping) s = c, for batches of G (..., n, n) and c (..., n, m)."""
    ridge = _DAMPING * gram.diagonal(dim1=-2, dim2=-1).mean(-1)
    ridge = torch.where(ridge > 0, ridge, 1.0)[..., None, None]
    eye = torch.eye(gram.shape[-1], dtype=gram.dtype, device=gram.device)
    return torch.cholesky_solve(cross, torch.linalg.cholesky(gram + ridge * eye))


def refit(
    scene: Scene,
    compact: nn.Module,
    kept: Sequence[Sequence[int]],
    criterion: str,
    params: RefitParams,
    make_fit: MakeFit,
) -> None:
    """Mend, in place, the layers of `compact` that read groups which lost units.

    Args:
        scene: The dense network, its groups and the images.
        compact: The cut network.
        kept: The units of each group that stayed, after all rounds so far.
        criterion: The criterion's name, for error messages.
        params: How many images and positions are sampled.
        make_fit: What is fitted: all weights of a reader, or one scale per input channel.
    """
    outputs = _readers_to_mend(scene, compact, kept)
    if not outputs:
        return
    draws = draw_positions(scene, params)
    with passes(scene, criterion, params.images, backward=False) as (dense, chunks):
        targets = _Targets(dense, PositionSample(draws), outputs)
        targets.sample.pass_through(dense, chunks)
    compact_scene = replace(scene, model=compact)
    with passes(compact_scene, criterion, params.images, backward=False) as (twin, chunks):
        images = torch.cat([x for x, _ in chunks])
        mending = _Mending(twin, PositionSample(draws), targets.rows(), make_fit, len(images))
        chunk_size = max(1, _MAP_ELEMENTS_AT_ONCE // targets.largest)
        mending.run(torch.split(images, chunk_size), compact_scene)
    with torch.no_grad():
        for name in outputs:
            compact.get_parameter(f"{name}.weight").copy_(twin.get_parameter(f"{name}.weight"))


def _readers_to_mend(
    scene: Scene, compact: nn.Module, kept: Sequence[Sequence[int]]
) -> dict[str, list[int]]:
    """The readers that lost input channels, each with the dense output channels that it kept."""
    layers = dict(compact.named_modules())  # lacks the layers of a block that lost all its channels
    names: list[str] = []
    removed_outputs: dict[str, set[int]] = {}
    for group, units in zip(scene.groups, kept, strict=True):
        removed = sorted(set(range(group.width)) - set(units))
        if removed:
            names += [member.layer for member in readers(group) if member.layer in layers]
        for member in group.writers:
            channels = member.index[removed].ravel().tolist()
            removed_outputs.setdefault(member.layer, set()).update(channels)
    kept_outputs = {}
    for name in names:
        dense = scene.model.get_submodule(name)
        assert isinstance(dense, Layer)
        every_output = set(range(len(by_output(dense, dense.weight))))
        kept_outputs[name] = sorted(every_output - removed_outputs.get(name, set()))
    return kept_outputs


class _Targets:
    """The outputs of the dense readers, without the channels that were cut themselves."""

    def __init__(
        self, dense: nn.Module, sample: PositionSample, outputs: dict[str, list[int]]
    ) -> None:
        self.sample = sample
        self.largest = 1
        """Elements, for one image, of the largest map that a reader takes or gives."""
        self._rows: dict[str, dict[int, Tensor]] = {name: {} for name in outputs}
        """Reader -> number of a chunk's first image -> (rows, channels)."""
        for name, channels in outputs.items():
            dense.get_submodule(name).register_forward_hook(self._hook(name, channels))

    def rows(self) -> dict[str, Tensor]:
        """(rows, channels) of each reader that the forward pass uses, at its first use."""
        return {name: torch.cat(list(rows.values())) for name, rows in self._rows.items() if rows}

    def _hook(self, name: str, channels: list[int]) -> Any:
        def hook(layer: Layer, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            self.largest = max(self.largest, inputs[0][0].numel(), output[0].numel())
            rows = self.sample.outputs(layer, output)[:, channels]
            self._rows[name].setdefault(self.sample.first, rows.to(output.dtype))

        return hook


class _Suspended(Exception):  # noqa: N818 - not an error
    """Stops a chunk's forward pass at a reader that cannot be mended yet.

    A hook has no other way to stop a forward pass. The chunk could not go on: the layers behind
    the reader need its mended weights, which need the inputs of all chunks.
    """


class _Mending:
    """Passes chunks of images through a network and mends its readers as the chunks reach them.

    A chunk runs until it reaches a reader that other chunks have not reached yet. The last chunk to
    reach it mends the reader and runs on; the other chunks start again from the first layer. So all
    readers are mended in one pass if the images fit into one chunk.
    """

    def __init__(
        self,
        twin: nn.Module,
        sample: PositionSample,
        targets: dict[str, Tensor],
        make_fit: MakeFit,
        images: int,
    ) -> None:
        self._twin, self._sample, self._make_fit, self._images = twin, sample, make_fit, images
        self._targets = targets
        """Of the readers that are still to be mended."""
        self._chunk = range(0)
        """The numbers of the images being passed."""
        self._arrived: set[int] = set()
        """The images whose chunks have reached the reader that is mended next."""
        self._fit: Fit | None = None
        """Of the reader that is mended next."""
        for name in targets:
            twin.get_submodule(name).register_forward_pre_hook(self._hook(name))

    def run(self, chunks: Sequence[Tensor], scene: Scene) -> None:
        """Pass chunks until one reaches the end; the first pass of each is charged already."""
        macs = count_macs(scene.model, scene.input_shape)
        starts = list(accumulate((len(x) for x in chunks), initial=0))
        repeated = False
        while True:
            for x, first in zip(chunks, starts, strict=False):
                if first not in self._arrived:
                    if repeated:
                        scene.charge(macs * len(x))
                    self._chunk = range(first, first + len(x))
                    self._sample.move(first, x)
                    try:
                        self._twin(x)
                    except _Suspended:
                        continue
                    return
            repeated = True

    def _hook(self, name: str) -> Any:
        def hook(layer: Layer, inputs: tuple[Tensor, ...]) -> None:
            if name in self._targets:
                self._add(layer, inputs[0], self._targets[name])
                if len(self._arrived) < self._images:
                    raise _Suspended
                assert self._fit is not None
                weight = by_group(layer, layer.weight)
                weight += self._fit.change().reshape(weight.shape)
                del self._targets[name]
                self._arrived, self._fit = set(), None

        return hook

    def _add(self, layer: Layer, x: Tensor, targets: Tensor) -> None:
        """Add the images being passed to the least squares of a reader."""
        weight, inputs = kernel_weights(layer), self._sample.inputs(layer, x)
        groups, rows = inputs.shape[:2]
        rows_per_image = rows // len(self._chunk)
        start, stop = self._chunk.start * rows_per_image, self._chunk.stop * rows_per_image
        target_rows = targets[start:stop].double().view(rows, groups, -1)
        current = torch.einsum("grcn,gocn->rgo", inputs, weight)
        self._fit = self._fit or self._make_fit(weight, rows_per_image * self._images)
        self._fit.add(inputs, (target_rows - current).transpose(0, 1))
        self._arrived.update(self._chunk)
