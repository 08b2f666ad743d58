"""Evaluation: loss, accuracy and, on request, the outputs for each image."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from prunetune.train.device import autocast, prepare, true_float32

EVAL_BATCH = 250
"""Images per batch in evaluation."""


@dataclass(frozen=True)
class Evaluation:
    """Mean cross-entropy and top-1 accuracy in [0, 1] over a data set."""

    loss: float
    acc1: float
    log_probs: Tensor | None = None
    """(images, classes), float32 on the CPU, in the order of the batches."""
    labels: Tensor | None = None
    """(images,), int32 on the CPU, in the same order; there where the outputs are."""


def evaluate(
    model: nn.Module,
    batches: Iterable[tuple[Tensor, Tensor]],
    device: torch.device,
    dtype: torch.dtype = torch.float32,
    *,
    outputs: bool = False,
) -> Evaluation:
    """Loss and accuracy of `model` on `batches`, with the log-probabilities if `outputs` is true.

    Reported figures use float32, since bfloat16 moves accuracies by up to 0.07 points. The model is
    moved to `device` in the layout that training uses, so that the same weights give the same bits.

    Raises:
        ValueError: there are no batches.
    """
    training = model.training
    model = prepare(model, device).eval()
    loss = torch.zeros((), device=device, dtype=torch.float64)
    n_correct = torch.zeros((), device=device, dtype=torch.int64)
    count, all_log_probs, all_labels = 0, [], []
    with torch.inference_mode(), true_float32(), autocast(device, dtype):
        for x, y in batches:
            x = x.to(device, memory_format=torch.channels_last, non_blocking=True)
            y = y.to(device, non_blocking=True)
            log_probs = F.log_softmax(model(x).float(), dim=1)
            loss += F.nll_loss(log_probs, y, reduction="none").double().sum()
            n_correct += (log_probs.argmax(1) == y).sum()
            count += len(y)
            if outputs:
                all_log_probs.append(log_probs.cpu())
                all_labels.append(y.cpu().int())
    model.train(training)
    if not count:
        raise ValueError("nothing to evaluate on: no batches")
    loss_mean, acc1 = loss.item() / count, n_correct.item() / count
    if not outputs:
        return Evaluation(loss_mean, acc1)
    return Evaluation(loss_mean, acc1, torch.cat(all_log_probs), torch.cat(all_labels))
