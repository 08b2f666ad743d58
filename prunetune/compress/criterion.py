"""The contract of a criterion: which channels matter least.

    score(scene) -> one tensor of scores per group, low = remove first

A criterion sees the whole network at once, so one pass over the data can serve all groups. It never
changes the model.
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
    """Where a criterion or regulariser comes from, for people who choose one."""

    paper: str
    """Authors, venue and arXiv number."""
    cost: str
    """What it costs, in passes over images or in plain words."""
    differs: str = ""
    """What it does differently from torch-pruning, and why."""


@dataclass(frozen=True)
class Scene:
    """The network and the images that a criterion scores with."""

    model: nn.Module
    input_shape: Shape
    groups: Sequence[Group]
    generator: torch.Generator
    """For the criterion's own random choices; on the CPU."""
    batches: Batches | None = None
    charge: Callable[[int], None] = lambda macs: None
    """`charge(macs)`: to be called with the MACs of every pass over images, before the pass."""


class Criterion(Protocol):
    """A rule that scores units, made from its parameters."""

    about: ClassVar[About]
    needs: ClassVar[Needs]
    """What it looks at. All but "weights" need images, whose passes are charged as scoring."""

    def __init__(self, params: Any) -> None:
        """`params` is an object of the model that the criterion was registered with."""

    def applies(self, model: nn.Module, group: Group) -> bool:
        """Whether the score is defined for this group; other groups stay whole."""

    def score(self, scene: Scene) -> list[torch.Tensor]:
        """For each group the scores of its units: a float64 tensor (units,) on the CPU."""


@runtime_checkable
class Refitting(Protocol):
    """A criterion that also refits the layers that read the removed channels, after the cut."""

    def refit(self, scene: Scene, compact: nn.Module, kept: Sequence[Sequence[int]]) -> None:
        """Change the weights of `compact`, in place, to restore the outputs of the dense layers.

        Args:
            scene: the dense network, with its groups.
            compact: the network after the cut.
            kept: the units of each group of the scene that stay after all rounds so far.
        """


class Accumulator(Protocol):
    """Gathers scores from the steps of a training while it is attached to the network.

    It does not change the training by a bit: forward passes, gradients and random numbers stay.
    """

    def attach(self) -> None:
        """Start to gather, by hooks on the network."""

    def detach(self) -> None:
        """Remove all hooks from the network; the gathered sums stay."""

    def scores(self, kept: Sequence[Sequence[int]] | None = None) -> list[torch.Tensor]:
        """For each group the scores of its units: a float64 tensor (units,) on the CPU.

        If units are silenced, `kept` has the other units of each group. Only these are scored, and
        silenced units do not affect their scores.

        Raises:
            ValueError: nothing was gathered.
        """

    def reset(self) -> None:
        """Forget the gathered sums."""

    def state_dict(self) -> dict[str, torch.Tensor]:
        """The gathered sums, for a checkpoint of the training."""

    def load_state_dict(self, state: Mapping[str, torch.Tensor]) -> None:
        """Restore the result of `state_dict`, whose tensors are now on the CPU."""


@runtime_checkable
class Accumulating(Protocol):
    """A criterion that gathers its scores during training, if the network is trained anyway."""

    def accumulator(self, model: nn.Module, groups: Sequence[Group]) -> Accumulator:
        """An accumulator for the training that `model` is about to have."""
