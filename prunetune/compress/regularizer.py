"""The contract of a regulariser: what is added to the gradient while a network is sparsified.

    hook(groups, steps) -> what training calls between the backward pass and the optimizer's step

A regulariser sees the coupled groups of the whole network, so that what stands or falls together is
made small together. Its hook changes gradients, never weights, and with strength 0 it changes
nothing: the training is then plain training, bit for bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Protocol

from pydantic import Field
from torch import nn

from prunetune.compress.criterion import About
from prunetune.compress.graph.groups import Group, prunable_groups
from prunetune.compress.method import Context
from prunetune.config.parts import Kind, Named, Params
from prunetune.config.recipe import Recipe
from prunetune.protocols import Hook
from prunetune.records.architecture import Architecture
from prunetune.registry import regularizers


class Sparsify(Params):
    """How the dense network is trained on before it is pruned."""

    regularizer: Annotated[
        Named | None, Kind("regularizers"), Field(description="null, in a choice: not at all")
    ]
    recipe: Recipe = Recipe()
    """Its own: were it the trial's, hardly two trials would share a sparsified network."""


Factor = Annotated[float, Field(ge=0, description="factor of what is added to gradients; 0: off")]


class Strength(Params):
    """How strong a regulariser is, and when."""

    strength: Factor
    ramp: Annotated[
        float,
        Field(ge=0, le=1, description="share of the epochs over which strength rises from zero"),
    ] = 0.0

    def at(self, step: int, steps: int) -> float:
        """The strength in step 0 <= step < steps: a linear rise, then constant."""
        rise = self.ramp * steps
        return self.strength * min(1.0, (step + 1) / rise) if rise else self.strength


class Regularizer(Protocol):
    """One way to make channels small, made from its parameters."""

    about: ClassVar[About]

    def __init__(self, params: Any) -> None:
        """`params` is the model that the regulariser was registered with."""

    def applies(self, model: nn.Module, group: Group) -> bool:
        """Whether there is anything in this group that it makes small."""

    def hook(self, groups: Sequence[Group], steps: int) -> Hook:
        """What acts on these groups in a training of `steps` steps.

        It costs a few percent of a step at most, and waits for no device within an epoch. What
        changes with time follows from the step alone, or is state that the checkpoint keeps.
        """


def sparsified_network(context: Context, sparsify: Sparsify | None) -> nn.Module:
    """The network to prune: the dense one, or what sparsifying makes of it."""
    if sparsify is None or sparsify.regularizer is None:
        assert context.dense is not None
        return context.dense
    assert context.sparsify is not None, "the sweep has no sparsify epochs"
    return context.sparsify(sparsify.regularizer, sparsify.recipe)


def regularizing(named: Named, model: nn.Module, architecture: Architecture, steps: int) -> Hook:
    """The hook of a regulariser over all groups of a network that may lose channels.

    Which criterion ranks them later does not matter, so that one network serves all criteria.

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
