"""A tiny data set and network, so that a training takes a fraction of a second."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

from prunetune.config.recipe import Augment

CPU = torch.device("cpu")
SEEDS = {"order": 1, "augmentation": 2}


@dataclass
class TinySplit:
    """Images with a label that can be learnt; augmentation adds noise."""

    x: Tensor
    y: Tensor

    def __len__(self) -> int:
        return len(self.x)

    def epoch(
        self,
        batch_size: int,
        augment: Augment,
        order: torch.Generator,
        augmentation: torch.Generator,
    ) -> Iterator[tuple[Tensor, Tensor]]:
        for index in torch.randperm(len(self), generator=order).split(batch_size):
            if len(index) == batch_size or len(self) < batch_size:
                noise = torch.randn(self.x[index].shape, generator=augmentation)
                yield self.x[index] + 0.1 * noise, self.y[index]

    def batches(self, batch_size: int) -> Iterator[tuple[Tensor, Tensor]]:
        yield from zip(self.x.split(batch_size), self.y.split(batch_size), strict=True)


@dataclass
class TinySplits:
    train: TinySplit
    val: TinySplit


def tiny_network(seed: int = 0) -> nn.Module:
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1, bias=False),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.Conv2d(8, 12, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(12),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Dropout(0.1),
            nn.Linear(12, 4),
        )


@pytest.fixture
def splits() -> TinySplits:
    generator = torch.Generator().manual_seed(7)
    y = torch.arange(100) % 4
    patterns = torch.randn(4, 3, 8, 8, generator=generator)
    x = patterns[y] + torch.randn(100, 3, 8, 8, generator=generator)
    return TinySplits(TinySplit(x[:70], y[:70]), TinySplit(x[70:], y[70:]))
