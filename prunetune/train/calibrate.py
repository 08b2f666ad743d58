"""Measures batch norm statistics anew, for a network that was cut or averaged."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from prunetune.batches import in_batches

CALIBRATION_BATCH = 128
"""Images that are normalised together while statistics are measured."""


@torch.no_grad()
def recalibrate(model: nn.Module, images: Iterable[Tensor], batch: int = CALIBRATION_BATCH) -> None:
    """Replace running statistics by their mean over batches of `images`; weights stay as they are.

    `images` come in portions of any size, and are normalised in batches of `batch`, so the portions
    make no difference. Batches weigh by their images, and a single image that remains joins the
    batch before it. Computes in float32. All layers but batch norm are in evaluation mode
    meanwhile.

    Raises:
        ValueError: there are no images, or a single one is too little for a batch norm.
    """
    norms = [m for m in model.modules() if isinstance(m, _BatchNorm) and m.running_mean is not None]
    if not norms:
        return
    device = next(model.parameters()).device
    training, momenta = model.training, [norm.momentum for norm in norms]
    model.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.train()
    seen = 0
    for number, (x,) in enumerate(in_batches(((x,) for x in images), batch), 1):
        seen += len(x)
        for norm in norms:
            norm.momentum = _share(len(x), seen, number)
        model(x.to(device, memory_format=torch.channels_last, non_blocking=True))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    model.train(training)
    if not seen:
        raise ValueError("nothing to measure batch norm statistics on: no images")


def _share(images: int, seen: int, batches: int) -> float | None:
    """The share of a batch in the mean of all images so far, as batch norm's momentum.

    None, torch's cumulative mean, is the same share if all batches so far are alike; torch then
    takes its own kernels, and so the same bits.
    """
    return None if images * batches == seen else images / seen
