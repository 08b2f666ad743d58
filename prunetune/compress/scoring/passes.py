"""Passes over a scene's training images: what all criteria that look at data share."""

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
AT_ONCE = 2**22
"""Numbers in the images that go through the network at once: 27 images of 3 x 224 x 224."""


class ImageParams(Params):
    """How much data a criterion looks at; the field's habit is ten batches of 128."""

    images: Annotated[int, Field(ge=1, description="training images to look at")] = 1280


@contextmanager
def passes(
    scene: Scene, criterion: str, images: int, *, backward: bool
) -> Iterator[tuple[nn.Module, Chunks]]:
    """A copy of the scene's network, and the images to send through it, in chunks.

    The copy is on the images' device, in eval mode, of float32 or better, and wants no gradients of
    its parameters. Each chunk is charged as it is handed out: the network's MACs forward, twice as
    many backward.

    Raises:
        ValueError: the scene has no images.
    """
    if scene.batches is None:
        raise ValueError(f"criterion {criterion!r} looks at training images and was given none")
    chunks = scene.batches(images)
    first = next(chunks, None)
    if first is None:
        raise ValueError(f"criterion {criterion!r} looks at training images; there are none")
    model = _working_copy(scene.model, first[0].device)
    dtype = next(model.parameters()).dtype
    macs = count_macs(scene.model, scene.input_shape) * (3 if backward else 1)

    def charged() -> Chunks:
        for images, labels in chain([first], chunks):
            each = max(1, AT_ONCE // images[0].numel())
            for x, y in zip(torch.split(images, each), torch.split(labels, each), strict=True):
                scene.charge(macs * len(x))
                yield x.to(dtype, memory_format=torch.channels_last), y

    exact = torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False)
    with exact, torch.set_grad_enabled(backward):
        yield model, charged()


def _working_copy(model: nn.Module, device: torch.device) -> nn.Module:
    twin = copy.deepcopy(model).eval().requires_grad_(False)
    dtype = torch.promote_types(next(twin.parameters()).dtype, torch.float32)
    return twin.to(device, dtype, memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]
