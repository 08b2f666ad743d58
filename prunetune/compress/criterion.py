"""The contract of a criterion: which channels matter least.

    score(scene) -> one tensor of scores per group, low = remove first

A criterion sees the whole network at once, so that one pass over the data can serve all groups. It
never changes the model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

import torch
from torch import nn

from prunetune.compress.graph.groups import Group
from prunetune.protocols import Batches, Shape

Needs = Literal["weights", "activations", "gradients", "curvature"]


@dataclass(frozen=True)
class About:
    """Where a criterion comes from, for people who must choose one."""

    paper: str
    """Authors, venue and arXiv number."""
    cost: str
    """What scoring takes, in passes over images or in plain words."""
    differs: str = ""
    """What is done otherwise than in torch-pruning, and why."""


@dataclass(frozen=True)
class Scene:
    """What a criterion may look at."""

    model: nn.Module
    input_shape: Shape
    groups: Sequence[Group]
    generator: torch.Generator
    """For random choices that are the criterion's own, on the CPU."""
    batches: Batches | None = None
    charge: Callable[[int], None] = lambda macs: None
    """Told the MACs of every pass over images, before it is made."""


class Criterion(Protocol):
    """One rule of scoring, made from its parameters."""

    about: ClassVar[About]
    needs: ClassVar[Needs]
    """What it looks at; anything but weights takes images, whose passes are charged as scoring."""

    def __init__(self, params: Any) -> None:
        """`params` is the model that the criterion was registered with."""

    def applies(self, model: nn.Module, group: Group) -> bool:
        """Whether its score is defined for this group; groups without one are left alone."""

    def score(self, scene: Scene) -> list[torch.Tensor]:
        """Per group a float64 tensor (units,) on the CPU."""


@runtime_checkable
class Refitting(Protocol):
    """A criterion that also mends the layers that read the removed channels, after the cut."""

    def refit(self, scene: Scene, compact: nn.Module, kept: Sequence[Sequence[int]]) -> None:
        """Change the weights of `compact`, in place, so that its layers put out what the dense ones
        of `scene.model` do; `kept` are the units of each group of the scene that stayed, after all
        rounds so far."""


class Accumulator(Protocol):
    """What a criterion gathers from the steps of a training, while it is attached to the network.

    It leaves the training as it is, to the bit: forward passes, gradients and random numbers.
    """

    def attach(self) -> None:
        """Begin to watch."""

    def detach(self) -> None:
        """Leave nothing on the network; what was gathered stays."""

    def scores(self, kept: Sequence[Sequence[int]] | None = None) -> list[torch.Tensor]:
        """Per group a float64 tensor (units,) on the CPU; ValueError if nothing was gathered.

        Where units are silenced, `kept` are those of each group that are not: they alone are
        scored, and the others count for nothing.
        """

    def reset(self) -> None:
        """Forget what was gathered."""

    def state_dict(self) -> dict[str, torch.Tensor]:
        """What was gathered, for a checkpoint of the training."""

    def load_state_dict(self, state: Mapping[str, torch.Tensor]) -> None:
        """Go on from what `state_dict` gave, its tensors now on the CPU."""


@runtime_checkable
class Accumulating(Protocol):
    """A criterion whose scores are a by-product of training, where there is training."""

    def accumulator(self, model: nn.Module, groups: Sequence[Group]) -> Accumulator:
        """For the steps that `model` is about to be trained for."""
