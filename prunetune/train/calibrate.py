"""Measures batch norm statistics anew, for a network that was cut or averaged."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


@torch.no_grad()
def recalibrate(model: nn.Module, batches: Iterable[Tensor]) -> None:
    """Replace running statistics by their mean over `batches` of images; weights stay as they are.

    Computes in float32. All layers but batch norm are in evaluation mode meanwhile.

    Raises:
        ValueError: there are no batches.
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
        norm.momentum = None  # None is the cumulative mean: all batches count alike
    count = 0
    for x in batches:
        model(x.to(device, memory_format=torch.channels_last, non_blocking=True))
        count += 1
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    model.train(training)
    if not count:
        raise ValueError("nothing to measure batch norm statistics on: no batches")
