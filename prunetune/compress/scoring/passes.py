"""Passes of training images through a network, for every criterion that looks at data."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from prunetune.compress.budget.costs import count_macs
from prunetune.compress.criterion import Scene
from prunetune.config.parts import Params

Chunks = Iterator[tuple[Tensor, Tensor]]
"""Images and their labels, in portions that fit into memory."""
_IMAGE_ELEMENTS_AT_ONCE = 2**22
"""Most elements of the images in one chunk: 27 images of 3 x 224 x 224."""


class ImageParams(Params):
    """How much data a criterion looks at; ten batches of 128 are usual in the literature."""

    images: Annotated[int, Field(ge=1, description="training images to score on")] = 1280


@contextmanager
def passes(
    scene: Scene, criterion: str, images: int, *, backward: bool
) -> Iterator[tuple[nn.Module, Chunks]]:
    """A copy of the scene's network, and chunks of images to send through it.

    The copy is on the images' device, in eval mode and in float32 or a wider type; its parameters
    require no gradients. Each chunk is charged when it is handed out: the network's MACs for the
    forward pass, and twice as many again for the backward pass.

    Raises:
        ValueError: the scene has no images; the message names `criterion`.
    """
    if scene.batches is None:
        raise ValueError(f"criterion {criterion!r} looks at training images and was given none")
    batches = scene.batches(images)
    first = next(batches, None)
    if first is None:
        raise ValueError(f"criterion {criterion!r} looks at training images; there are none")
    model = _working_copy(scene.model, first[0].device)
    dtype = next(model.parameters()).dtype
    macs = count_macs(scene.model, scene.input_shape) * (3 if backward else 1)

    def charged_chunks() -> Chunks:
        for batch, labels in chain([first], batches):
            size = max(1, _IMAGE_ELEMENTS_AT_ONCE // batch[0].numel())
            for x, y in zip(torch.split(batch, size), torch.split(labels, size), strict=True):
                scene.charge(macs * len(x))
                yield x.to(dtype, memory_format=torch.channels_last), y

    # Scores are compared with each other, so a GPU computes them repeatably and without TF32.
    exact = torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False)
    with exact, torch.set_grad_enabled(backward):
        yield model, charged_chunks()


def _working_copy(model: nn.Module, device: torch.device) -> nn.Module:
    twin = copy.deepcopy(model).eval().requires_grad_(False)
    dtype = torch.promote_types(next(twin.parameters()).dtype, torch.float32)
    return twin.to(device, dtype, memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]
