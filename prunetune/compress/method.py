"""The contract of a method: from a dense network and a budget to a compact network.

    run(context) -> CompactModel

A method never loads data, never opens a checkpoint and never trains by itself: the context, made by
trial.py, brings the dense network, calibration batches, generators and `train`. A method that
sparsifies asks `context.sparsify` for the network before it scores; one that prunes while training
hands over what is to be trained first, a `Shrinking`; one that masks weights returns hooks that the
training after it will call. All of it is resumable: after a crash `run` is simply run again, and
calls that had finished return at once what they returned before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, ClassVar, Literal, Protocol, Self

import torch
from pydantic import BaseModel
from torch import nn

from prunetune.config.parts import Named
from prunetune.config.recipe import Recipe
from prunetune.plan import Reach
from prunetune.protocols import Batches, Hook
from prunetune.records.architecture import Architecture
from prunetune.registry import methods

BudgetKind = Literal["macs", "sparsity"]


@dataclass(frozen=True)
class Target:
    """The budget in MACs at batch 1, convolution and linear layers."""

    macs: int
    dense_macs: int
    tolerance: float
    """Achieved MACs must lie in [macs * (1 - tolerance), macs]."""
    sparsity: Fraction | None = None
    """The share of weights that are zero, exactly, where the budget is that; MACs are free then."""

    @property
    def lowest(self) -> float:
        """The fewest MACs that still meet the budget."""
        return self.macs * (1 - self.tolerance)


class Infeasible(Exception):  # noqa: N818 - an expected end, not an error
    """No network of this method meets the target; carries the nearest reachable MACs."""

    def __init__(self, reason: str, nearest_macs: int) -> None:
        self.nearest_macs = nearest_macs
        super().__init__(reason)

    @classmethod
    def too_large(cls, smallest_macs: int, at_most: int) -> Self:
        """Even the smallest network that the method can make exceeds the budget."""
        reason = f"the smallest network has {smallest_macs} MACs, the budget is {at_most}"
        return cls(reason, smallest_macs)

    @classmethod
    def too_coarse(cls, parts: str, nearest_macs: int, at_most: int, at_least: float) -> Self:
        """Removing `parts` (channels or weights) one by one steps over the budget's tolerance."""
        reason = (
            f"{parts} are too coarse: {nearest_macs} MACs are the nearest found at or below the "
            f"budget of {at_most}, at least {at_least:.0f} were needed"
        )
        return cls(reason, nearest_macs)


@dataclass
class Context:
    """What a method is given. It must not change `dense`; copy it first."""

    architecture: Architecture
    """Of the dense network."""
    target: Target
    generator: torch.Generator
    """For random choices that are the method's own (ties, random scores); on the CPU."""
    build: Callable[[Architecture], nn.Module]
    """A freshly initialised network of an architecture, from the trial's own seed."""
    epochs: int = 0
    """All epochs of training that the trial has, those inside `run` included."""
    dense: nn.Module | None = None
    """The dense network with its weights, for methods that inherit them."""
    source: Architecture | None = None
    """The architecture to train, for methods that take another arm's."""
    batches: Batches | None = None
    charge: Callable[[int], None] = lambda macs: None
    """Told the MACs of every pass over images that scoring makes, before it is made."""
    scoring: Callable[[], AbstractContextManager[None]] = nullcontext
    """Entered while channels are scored: their seconds are charged."""
    train: Callable[[nn.Module, int, Sequence[Hook]], nn.Module] | None = None
    """`train(model, epochs, hooks)`: the same model trained by that many epochs."""
    steps_per_epoch: int = 1
    """Optimizer steps in each epoch."""
    sparsify: Callable[[Named, Recipe], nn.Module] | None = None
    """`sparsify(regularizer, recipe)`: the dense network, trained on by the sweep's sparsify epochs
    with this regulariser and recipe. It is made once and shared by all trials that ask for the
    same; not to be changed, as `dense`."""
    recalibrate: Callable[[nn.Module, int], None] | None = None
    """`recalibrate(model, n)`: batch norm statistics measured anew on n training images."""


@dataclass
class CompactModel:
    """What a method hands over: a network ready to be trained for the epochs that are left."""

    model: nn.Module
    architecture: Architecture
    macs: int
    kept: dict[str, list[int]] = field(default_factory=dict)
    """Output channels of the dense layers that were kept, per pruned group's first layer."""
    hooks: Sequence[Hook] = ()
    epochs_used: int = 0
    """Of the trial's epochs, those that made it: it is trained by the others."""
    departures: dict[str, Any] = field(default_factory=dict)
    """How far the network departs from the method's own rule, as JSON."""
    computed_macs: int | None = None
    """What a forward pass really takes where masks leave it more than `macs`; training is charged
    with it."""
    params: int | None = None
    """Where masks leave fewer than the shape has."""

    @property
    def cost(self) -> int:
        """MACs of a forward pass as it is computed."""
        return self.macs if self.computed_macs is None else self.computed_macs


@dataclass
class Shrinking:
    """What a method hands over if its network becomes compact in training, by hooks that mask it.

    The trial trains `model` by its first epochs, as it trains everything, under the schedule of all
    its epochs; `finish` then gives the compact network for the others. Training is resumable:
    after a crash `run` is run again, and hooks get their memory back.
    """

    model: nn.Module
    epochs: int
    hooks: Sequence[Hook]
    finish: Callable[[nn.Module], CompactModel]


class Method(Protocol):
    """One way to a compact network, made from its parameters: `Method(params).run(context)`."""

    inherits: ClassVar[bool]
    """Whether it starts from the dense network's weights."""
    takes_architecture: ClassVar[bool]
    """Whether it trains what another arm found: its parameter `from`, and `at` where it has one, is
    that arm and the budget (else the same). Without a `reach` of its own it has that arm's."""
    budgets: ClassVar[frozenset[BudgetKind]] = frozenset({"macs"})
    """The kinds of budget it can meet, MACs where it does not say; with none it has one study."""
    masks: ClassVar[bool] = False
    """Whether it zeroes single weights and leaves the dense architecture as it is; false where it
    does not say. Such a network is no faster without sparse kernels, and reports say so."""

    def __init__(self, params: Any) -> None:
        """`params` is the model that the method was registered with."""

    def run(self, context: Context) -> CompactModel | Shrinking:
        """The compact network, or how to get it; Infeasible if the target cannot be met."""


def budget_kinds(method: Any) -> frozenset[BudgetKind]:
    """The kinds of budget that a method, an object or a class, can meet."""
    kinds: frozenset[BudgetKind] = getattr(method, "budgets", Method.budgets)
    return kinds


def finds_architecture(method: Any) -> bool:
    """Whether other arms can train what it finds: an architecture of its own, of fewer MACs."""
    own = not method.takes_architecture and bool(budget_kinds(method))
    return own and not masks(method)


def masks(method: Any) -> bool:
    """Whether it zeroes single weights and leaves the dense architecture as it is."""
    return bool(getattr(method, "masks", Method.masks))


def try_to_reach(
    target: Target, smallest_macs: int, attempts: Iterable[Callable[[], int]]
) -> Reach:
    """The first of `attempts` that meets the target, or else the nearest miss.

    An attempt returns the MACs of a network within tolerance, or raises Infeasible.
    """
    misses: list[Infeasible] = []
    for attempt in attempts:
        try:
            macs = attempt()
        except Infeasible as miss:
            misses.append(miss)
        else:
            return Reach(smallest_macs=smallest_macs, nearest_macs=macs, within=True)
    nearest = min(misses, key=lambda miss: abs(miss.nearest_macs - target.macs))
    return Reach(
        smallest_macs=smallest_macs,
        nearest_macs=nearest.nearest_macs,
        within=False,
        reason=str(nearest),
    )


def reach(
    method: str, params: BaseModel, architecture: Architecture, targets: Sequence[Target]
) -> tuple[Reach, ...] | None:
    """For each target, whether `method` with `params` meets it from the dense `architecture`.

    Parameters that are ranges in a sweep must be chosen: ask once per value (of scope, floor,
    criterion). None where the method takes another arm's architecture, whose reach it has. Exact
    for width scaling and local pruning; for the other scopes, whose widths depend on the scores,
    and for copycats of profiles to come `smallest_macs` is exact and the rest is tried with random
    ones.

    Raises:
        ValueError: the method does not apply to this network at all, whatever the target.
    """
    part = methods.get(method).part
    if not hasattr(part, "reach"):
        return None
    found: tuple[Reach, ...] = part(params).reach(architecture, targets)
    return found
