"""The contract of a criterion: which channels matter least.

    score(scene) -> one tensor of scores per group, low = remove first

A criterion sees the whole network at once, so that one pass over the data can serve all groups. It
never changes the model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol

import torch
from torch import nn

from prunetune.compress.groups import Group

Batches = Callable[[int], Iterator[tuple[torch.Tensor, torch.Tensor]]]


@dataclass(frozen=True)
class Scene:
    """What a criterion may look at."""

    model: nn.Module
    groups: Sequence[Group]
    generator: torch.Generator
    batches: Batches | None = None
    """`batches(n)`: n training images without augmentation, as (x, y)."""


class Criterion(Protocol):
    """One rule of scoring, made from its parameters."""

    needs: ClassVar[Literal["weights", "activations", "gradients"]]
    """What it looks at; anything but weights takes images and is booked as scoring."""

    def __init__(self, params: Any) -> None:
        """`params` is the model that the criterion was registered with."""

    def applies(self, model: nn.Module, group: Group) -> bool:
        """Whether its score is defined for this group; groups without one are left alone."""

    def score(self, scene: Scene) -> list[torch.Tensor]:
        """Per group a float64 tensor (units,) on the CPU."""
