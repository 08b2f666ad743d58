"""Least squares for the layers that read what was cut away, so that they put out what they did.

In forward order: a reader's inputs come from the cut network as it stands, the readers before it
mended; its targets from the dense network, before all rounds, at the same positions. What is fitted
is a change of the weights, lightly damped, so that weights of dead channels, and of layers that
miss nothing, stay as they are.
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
from prunetune.compress.scoring.passes import passes
from prunetune.compress.scoring.positions import Layer, PositionSample, SampleParams, draw, weights
from prunetune.compress.scoring.readers import readers

DAMPING = 1e-6
"""Ridge, as a share of the mean energy of what is fitted with."""
AT_ONCE = 2**27
"""Numbers that the images passed at once may have in the largest map that a reader sees."""


class RefitParams(SampleParams):
    """Whether the layers that read removed channels are mended, with as many images."""

    refit: Annotated[
        bool, Field(description="fit the readers of removed channels to their former outputs")
    ] = True


class Fit(Protocol):
    """Least squares for one reader, its rows coming in portions."""

    def add(self, inputs: Tensor, missing: Tensor) -> None:
        """`inputs` as by `Sample.inputs`, and what its outputs lack, (groups, rows, outputs)."""

    def change(self) -> Tensor:
        """What to add to the weights; zero where there are too few equations for a fit."""


MakeFit = Callable[[Tensor, int], Fit]
"""Of a reader's weights as by `weights`, and of how many rows there will be."""


def damped(gram: Tensor, cross: Tensor) -> Tensor:
    """The solution of (G + damping) s = c, for batches of G (..., n, n) and c (..., n, m)."""
    ridge = DAMPING * gram.diagonal(dim1=-2, dim2=-1).mean(-1)
    ridge = torch.where(ridge > 0, ridge, 1.0)[..., None, None]
    eye = torch.eye(gram.shape[-1], dtype=gram.dtype, device=gram.device)
    return torch.cholesky_solve(cross, torch.linalg.cholesky(gram + ridge * eye))


def refit(
    scene: Scene,
    compact: nn.Module,
    kept: Sequence[Sequence[int]],
    criterion: str,
    params: RefitParams,
    fit: MakeFit,
) -> None:
    """Mend in place the layers of `compact` that read groups which lost units."""
    outputs = _to_mend(scene, compact, kept)
    if not outputs:
        return
    draws = draw(scene, params)
    with passes(scene, criterion, params.images, backward=False) as (dense, chunks):
        targets = _Targets(dense, PositionSample(draws), outputs)
        targets.sample.watch(dense, chunks)
    cut = replace(scene, model=compact)
    with passes(cut, criterion, params.images, backward=False) as (twin, chunks):
        images = torch.cat([x for x, _ in chunks])
        mending = _Mending(twin, PositionSample(draws), targets.rows(), fit, len(images))
        mending.run(torch.split(images, max(1, AT_ONCE // targets.largest)), cut)
    with torch.no_grad():
        for name in outputs:
            compact.get_parameter(f"{name}.weight").copy_(twin.get_parameter(f"{name}.weight"))


def _to_mend(
    scene: Scene, compact: nn.Module, kept: Sequence[Sequence[int]]
) -> dict[str, list[int]]:
    """The readers that lost inputs, and which of their dense output channels are left."""
    there = dict(compact.named_modules())  # a block that lost all its channels is not
    names: list[str] = []
    lost: dict[str, set[int]] = {}
    for group, units in zip(scene.groups, kept, strict=True):
        gone = sorted(set(range(group.width)) - set(units))
        if gone:
            names += [member.layer for member in readers(group) if member.layer in there]
        for member in group.writers:
            lost.setdefault(member.layer, set()).update(member.index[gone].ravel().tolist())
    found = {}
    for name in names:
        dense = scene.model.get_submodule(name)
        assert isinstance(dense, Layer)
        found[name] = sorted(set(range(len(dense.weight))) - lost.get(name, set()))
    return found


class _Targets:
    """What the dense readers put out, but for channels that are cut themselves."""

    def __init__(
        self, dense: nn.Module, sample: PositionSample, outputs: dict[str, list[int]]
    ) -> None:
        self.sample = sample
        self.largest = 1
        """Numbers in the largest map that a reader sees of one image."""
        self._parts: dict[str, dict[int, Tensor]] = {name: {} for name in outputs}
        """By the first image of a chunk."""
        for name, left in outputs.items():
            dense.get_submodule(name).register_forward_hook(self._hook(name, left))

    def rows(self) -> dict[str, Tensor]:
        """(rows, channels) of each reader that the forward pass uses, at its first use."""
        return {n: torch.cat(list(parts.values())) for n, parts in self._parts.items() if parts}

    def _hook(self, name: str, left: list[int]) -> Any:
        def hook(layer: Layer, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            self.largest = max(self.largest, inputs[0][0].numel(), output[0].numel())
            rows = self.sample.outputs(layer, output)[:, left]
            self._parts[name].setdefault(self.sample.first, rows.to(output.dtype))

        return hook


class _Wait(Exception):  # noqa: N818 - no error: a chunk has met a reader before the others have
    pass


class _Mending:
    """Chunks of images on their way through a network whose readers are mended as they are met.

    A chunk runs until it meets a reader that some chunk has not met yet. The last to come mends the
    reader and runs on; the others start again. So, where the images fit into one chunk, all readers
    are mended in one pass.
    """

    def __init__(
        self,
        twin: nn.Module,
        sample: PositionSample,
        targets: dict[str, Tensor],
        fit: MakeFit,
        images: int,
    ) -> None:
        self._twin, self._sample, self._fit, self._images = twin, sample, fit, images
        self._targets = targets
        """Of the readers that are not mended."""
        self._now = range(0)
        """The images being passed."""
        self._met: set[int] = set()
        """The images whose chunks have met the reader that is next to be mended."""
        self._next: Fit | None = None
        for name in targets:
            twin.get_submodule(name).register_forward_pre_hook(self._hook(name))

    def run(self, chunks: Sequence[Tensor], scene: Scene) -> None:
        """Until a chunk meets no more readers; every chunk's first pass is charged already."""
        macs = count_macs(scene.model, scene.input_shape)
        starts = list(accumulate((len(x) for x in chunks), initial=0))
        again = False
        while True:
            for x, first in zip(chunks, starts, strict=False):
                if first not in self._met:
                    if again:
                        scene.charge(macs * len(x))
                    self._now = range(first, first + len(x))
                    self._sample.move(first, x)
                    try:
                        self._twin(x)
                    except _Wait:
                        continue
                    return
            again = True

    def _hook(self, name: str) -> Any:
        def hook(layer: Layer, inputs: tuple[Tensor, ...]) -> None:
            if name in self._targets:
                self._add(layer, inputs[0], self._targets[name])
                if len(self._met) < self._images:
                    raise _Wait
                assert self._next is not None
                layer.weight += self._next.change().reshape(layer.weight.shape)
                del self._targets[name]
                self._met, self._next = set(), None

        return hook

    def _add(self, layer: Layer, x: Tensor, targets: Tensor) -> None:
        """The share of the images being passed in a reader's least squares."""
        weight, inputs = weights(layer), self._sample.inputs(layer, x)
        groups, rows = inputs.shape[:2]
        each = rows // len(self._now)
        wanted = targets[self._now.start * each : self._now.stop * each].double()
        has = torch.einsum("grcn,gocn->rgo", inputs, weight)
        self._next = self._next or self._fit(weight, each * self._images)
        self._next.add(inputs, (wanted.view(rows, groups, -1) - has).transpose(0, 1))
        self._met.update(self._now)
