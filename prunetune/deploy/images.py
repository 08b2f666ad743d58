"""Real images on which a network is tried: those of its own data set that it did not learn from."""

from __future__ import annotations

import torch
from torch import Tensor

from prunetune.records.record import TrialSpec
from prunetune.workload import Workload


def validation_images(spec: TrialSpec, number: int, *, download: bool = True) -> Tensor:
    """The first `number` validation images of a trial, (N, C, H, W), normalised as in training.

    Raises:
        DataMissingError: the data set's files are missing.
    """
    workload = Workload.from_json(spec.workload)
    splits = workload.open(torch.device("cpu"), download=download)
    taken: list[Tensor] = []
    for images, _ in splits.val.batches(min(number, len(splits.val))):
        taken.append(images)
        if sum(map(len, taken)) >= number:
            break
    return torch.cat(taken)[:number].contiguous()
