"""The contract of a method: from a dense network and a budget to a compact network.

    run(context) -> CompactModel

A method never loads data, opens a checkpoint or trains by itself. The trial gives it a context with
the dense network, calibration batches, a generator and `train`.

- A method that sparsifies asks `context.sparsify` for the network before it scores.
- A method that prunes while training returns a `Shrinking`: the model to train first.
- A method that masks weights returns hooks, which the training after it calls.

Every method is resumable: after a crash the trial calls `run` again, and calls of the context that
had finished return at once what they returned before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, ClassVar, Protocol, Self

import torch
from pydantic import BaseModel
from torch import nn

from prunetune.config.budget import BudgetKind
from prunetune.config.parts import Named
from prunetune.config.recipe import Recipe
from prunetune.plan import Reach
from prunetune.protocols import Batches, Hook
from prunetune.records.architecture import Architecture
from prunetune.registry import methods


@dataclass(frozen=True)
class Target:
    """The budget: MACs of the network for one image."""

    macs: int
    dense_macs: int
    tolerance: float
    """Achieved MACs must lie in [macs * (1 - tolerance), macs]."""
    sparsity: Fraction | None = None
    """The exact share of zero weights if the budget is a sparsity; MACs are then not bounded."""

    @property
    def lowest(self) -> float:
        """The fewest MACs that still meet the budget."""
        return self.macs * (1 - self.tolerance)


class Infeasible(Exception):  # noqa: N818 - an expected end, not an error
    """No network of this method meets the target; `nearest_macs` are the nearest it can reach."""

    def __init__(self, reason: str, nearest_macs: int) -> None:
        self.nearest_macs = nearest_macs
        super().__init__(reason)

    @classmethod
    def too_large(cls, smallest_macs: int, at_most: int) -> Self:
        """The error when even the method's smallest network exceeds the budget."""
        reason = f"the smallest network has {smallest_macs} MACs, the budget is {at_most}"
        return cls(reason, smallest_macs)

    @classmethod
    def too_coarse(cls, parts: str, nearest_macs: int, at_most: int, at_least: float) -> Self:
        """The error when single `parts` (channels or weights) step over the budget's tolerance."""
        reason = (
            f"{parts} are too coarse: {nearest_macs} MACs are the nearest found at or below the "
            f"budget of {at_most}, at least {at_least:.0f} were needed"
        )
        return cls(reason, nearest_macs)


@dataclass
class Context:
    """What a method is given. A method must not change `dense`, so it works on a copy."""

    architecture: Architecture
    """The architecture of the dense network."""
    target: Target
    generator: torch.Generator
    """For the method's own random choices (ties, random scores); on the CPU."""
    build: Callable[[Architecture], nn.Module]
    """`build(architecture)`: a network with initial weights from the trial's own seed."""
    epochs: int = 0
    """All epochs of training that the trial has, including those during `run`."""
    dense: nn.Module | None = None
    """The dense network with its weights, for methods that inherit them."""
    source: Architecture | None = None
    """The architecture to train, for methods that take it from another arm."""
    batches: Batches | None = None
    charge: Callable[[int], None] = lambda macs: None
    """`charge(macs)`: called with the MACs of every scoring pass over images, before the pass."""
    scoring: Callable[[], AbstractContextManager[None]] = nullcontext
    """`with scoring():` around all scoring, so that its seconds are measured."""
    train: Callable[[nn.Module, int, Sequence[Hook]], nn.Module] | None = None
    """`train(model, epochs, hooks)`: the same model, trained for that many epochs."""
    steps_per_epoch: int = 1
    """Optimizer steps in each epoch."""
    sparsify: Callable[[Named, Recipe], nn.Module] | None = None
    """`sparsify(regularizer, recipe)`: the dense network, trained further for the sweep's sparsify
    epochs with this regulariser and recipe. All trials that ask for the same share one network, so
    a method must not change it."""
    recalibrate: Callable[[nn.Module, int], None] | None = None
    """`recalibrate(model, n)`: measures batch norm statistics anew on n training images."""


@dataclass
class CompactModel:
    """What a method returns: a network to train for the remaining epochs."""

    model: nn.Module
    architecture: Architecture
    macs: int
    kept: dict[str, list[int]] = field(default_factory=dict)
    """First layer of each pruned group -> the output channels of the dense layer that stay."""
    hooks: Sequence[Hook] = ()
    epochs_used: int = 0
    """The trial's epochs that the method used; the network is trained for the others."""
    departures: dict[str, Any] = field(default_factory=dict)
    """How the network departs from the method's own rule, as JSON."""
    computed_macs: int | None = None
    """The MACs that a forward pass really computes, if masks make it more than `macs`; training is
    charged with these."""
    params: int | None = None
    """The number of parameters that are not masked, if there are masks."""

    @property
    def cost(self) -> int:
        """The MACs that a forward pass really computes."""
        return self.macs if self.computed_macs is None else self.computed_macs


@dataclass
class Shrinking:
    """What a method returns if its network becomes compact during training, by hooks that mask it.

    The trial trains `model` for its first `epochs`, under the schedule of all its epochs. Then
    `finish(model)` returns the compact network for the other epochs. Training is resumable: after a
    crash the trial calls `run` again and restores the state of the hooks.
    """

    model: nn.Module
    epochs: int
    hooks: Sequence[Hook]
    finish: Callable[[nn.Module], CompactModel]


class Method(Protocol):
    """One way to a compact network, made from its parameters: `Method(params).run(context)`.

    A method may also have `reach(architecture, targets)`, which the function `reach` calls.
    """

    inherits: ClassVar[bool]
    """Whether it starts from the dense network's weights."""
    takes_architecture: ClassVar[bool]
    """Whether it trains an architecture that another arm found. Its parameter `from` names that
    arm; its parameter `at`, if it has one, names the arm's budget (else the same budget). Without
    its own `reach` it reaches what that arm reaches."""
    budgets: ClassVar[frozenset[BudgetKind]] = frozenset({"macs"})
    """The kinds of budget it can meet, MACs by default. A method without any has one study."""
    masks: ClassVar[bool] = False
    """Whether it zeroes single weights and keeps the dense architecture, false by default. Such a
    network is no faster without sparse kernels, and reports say so."""

    def __init__(self, params: Any) -> None:
        """`params` is an object of the model that the method was registered with."""

    def run(self, context: Context) -> CompactModel | Shrinking:
        """The compact network, or how to train towards it.

        Raises:
            Infeasible: the target cannot be met.
        """


def budget_kinds(method: Any) -> frozenset[BudgetKind]:
    """The kinds of budget that a method (an object or a class) can meet."""
    kinds: frozenset[BudgetKind] = getattr(method, "budgets", Method.budgets)
    return kinds


def finds_architecture(method: Any) -> bool:
    """Whether a method finds an architecture of fewer MACs, which other arms can train."""
    own = not method.takes_architecture and bool(budget_kinds(method))
    return own and not masks(method)


def masks(method: Any) -> bool:
    """Whether a method zeroes single weights and keeps the dense architecture."""
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
    """For each target, whether `method` meets it from the dense `architecture`; nothing is trained.

    None for a method without a `reach` of its own: it reaches what its source arm reaches. If the
    sweep has ranges for parameters, ask once per value (of scope, floor, criterion).

    The answer is exact for width scaling and for the scopes local and per_group. The other scopes
    depend on scores, and copycat on a profile that its source has yet to find: for these only
    `smallest_macs` is exact, and the rest is tried with random scores or profiles.

    Raises:
        ValueError: the method does not apply to this network at all, whatever the target.
    """
    part = methods.get(method).part
    if not hasattr(part, "reach"):
        return None
    reaches: tuple[Reach, ...] = part(params).reach(architecture, targets)
    return reaches
