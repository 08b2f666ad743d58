"""The contract of a regulariser: it makes channels small while a network trains, before pruning.

    hook(groups, steps) -> a hook that adds to the gradients before each step of the optimizer

A regulariser sees the coupled groups of the whole network, so that channels that are removed
together get small together. Its hook changes gradients, never weights. With strength 0 it changes
nothing, and the training is plain training, bit for bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Protocol

from pydantic import Field
from torch import nn

from prunetune.compress.criterion import About
from prunetune.compress.graph.groups import Group
from prunetune.compress.method import Context
from prunetune.compress.proof.proved_groups import prunable_groups
from prunetune.config.parts import Kind, Named, Params
from prunetune.config.recipe import Recipe
from prunetune.protocols import Hook
from prunetune.records.architecture import Architecture
from prunetune.registry import regularizers


class Sparsify(Params):
    """How the dense network is trained further before it is pruned."""

    regularizer: Annotated[
        Named | None, Kind("regularizers"), Field(description="null, as a choice: none")
    ]
    recipe: Recipe = Recipe()
    """Not the trial's recipe: otherwise hardly two trials could share a sparsified network."""


Factor = Annotated[float, Field(ge=0, description="factor on the addition to gradients; 0: off")]


class Strength(Params):
    """How strong a regulariser is, over the steps of a training."""

    strength: Factor
    ramp: Annotated[
        float,
        Field(ge=0, le=1, description="share of the epochs over which strength rises from zero"),
    ] = 0.0

    def at(self, step: int, steps: int) -> float:
        """The strength in step 0 <= step < steps: it rises linearly, then stays constant."""
        rise = self.ramp * steps
        return self.strength * min(1.0, (step + 1) / rise) if rise else self.strength


class Regularizer(Protocol):
    """A rule that makes channels small, made from its parameters."""

    about: ClassVar[About]

    def __init__(self, params: Any) -> None:
        """`params` is an object of the model that the regulariser was registered with."""

    def applies(self, model: nn.Module, group: Group) -> bool:
        """Whether it can make this group's units small."""

    def hook(self, groups: Sequence[Group], steps: int) -> Hook:
        """The hook that acts on these groups in a training of `steps` steps.

        It takes a few percent of a step at most, and does not wait for the device within an epoch.
        Whatever changes over time follows from the step alone or is state in the checkpoint.
        """


def sparsified_network(context: Context, sparsify: Sparsify | None) -> nn.Module:
    """The network to prune: the dense network, sparsified if `sparsify` says so."""
    if sparsify is None or sparsify.regularizer is None:
        assert context.dense is not None
        return context.dense
    assert context.sparsify is not None, "the sweep has no sparsify epochs"
    return context.sparsify(sparsify.regularizer, sparsify.recipe)


def regularizing(named: Named, model: nn.Module, architecture: Architecture, steps: int) -> Hook:
    """The hook of a regulariser over all groups of a network that may lose channels.

    It does not depend on the criterion that ranks them later, so one network serves all criteria.

    Raises:
        ValueError: the regulariser is defined for none of the groups.
    """
    regularizer: Regularizer = regularizers.make(named)
    groups = prunable_groups(model, architecture)
    chosen = [group for group in groups if regularizer.applies(model, group)]
    if not chosen:
        raise ValueError(
            f"regularizer {named.name!r} is defined for none of the {len(groups)} prunable groups "
            f"of {architecture.model}; choose another regularizer"
        )
    return regularizer.hook(chosen, steps)
