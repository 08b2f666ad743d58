"""Networks of the dense stage widths that are smaller inside: narrower blocks, or fewer blocks.

Crowley et al. (1810.04622) reduce networks in both ways, beside their width. As in `WidthSolver`,
extra channels inside the blocks use up the rest of a budget.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from fractions import Fraction
from functools import cached_property

from prunetune.compress.budget.costs import CostPoint
from prunetune.compress.methods.width_scaling.scalings import Widths, scalings
from prunetune.compress.methods.width_scaling.solver import STAGE_TAG, WidthSolver
from prunetune.records.architecture import Architecture


class InnerWidthSolver(WidthSolver):
    """Blocks of any inner width between stages of the dense widths.

    A candidate has one width per block.

    Raises:
        ValueError: the family has no inner widths to choose.
    """

    def __init__(
        self, architecture: Architecture, profile: Sequence[Fraction] = (), round_to: int = 1
    ) -> None:
        super().__init__(architecture, profile, round_to)
        if not self.inner_widths(self.base):
            name = architecture.model
            raise ValueError(f"width_scaling: {name} has no blocks that can be narrower inside")

    def uniform(self, candidate: Widths) -> CostPoint:
        """The network of the dense stage widths with these widths inside its blocks."""
        return CostPoint(self.costs, self.base + candidate)

    def smallest_macs(self) -> int:
        """MACs of the first candidate."""
        return self.uniform(self.candidates[0]).macs

    @cached_property
    def stages(self) -> Widths:
        """The number of the stage that each block belongs to."""
        tags = tuple(STAGE_TAG + stage for stage in range(len(self.base)))
        return tuple(
            next(stage for stage, tag in enumerate(tags) if inner % tag == 0)
            for inner in self.inner_widths(tags)
        )


class NarrowerBlocks(InnerWidthSolver):
    """All blocks narrower inside by one factor, relative to their stages' shares of the profile."""

    @cached_property
    def candidates(self) -> list[Widths]:
        """All rounded scalings, ascending."""
        shares = [self.stage_share(stage) for stage in self.stages]
        return scalings(self.inner_widths(self.base), shares, self.round_to)


class FewerBlocks(InnerWidthSolver):
    """Fewer blocks of the dense widths; only blocks whose shortcut is an identity may be left out.

    The first block of each stage stays, or else every block that the family cannot be without. The
    others are left out from the end of their stages, in turn from the last stage to the first, so
    that a ResNet of 6n + 2 layers passes through the ResNets of fewer layers. A block that is left
    out has inner width 0.

    Raises:
        ValueError: the family cannot leave out any block.
    """

    def __init__(
        self, architecture: Architecture, profile: Sequence[Fraction] = (), round_to: int = 1
    ) -> None:
        super().__init__(architecture, profile, round_to)
        blocks = range(len(self.stages))
        later = self._later(blocks)
        if self._problem(self._without(later)):
            self._removable = [b for b in blocks if not self._problem(self._without([b]))]
        else:
            self._removable = later
        if not self._removable:
            why = self._problem(self._without([blocks[-1]])) or "each is the first of its stage"
            name = architecture.model
            raise ValueError(f"width_scaling: {name} has no blocks to leave out: {why}")

    @cached_property
    def candidates(self) -> list[Widths]:
        """Inner widths from the fewest blocks to all of them."""
        order = self._removal_order(self._removable)
        return [self._without(order[:count]) for count in range(len(order), -1, -1)]

    def _later(self, blocks: Iterable[int]) -> list[int]:
        """All blocks but the first of each stage."""
        return [block for block in blocks if block and self.stages[block - 1] == self.stages[block]]

    def _without(self, blocks: Collection[int]) -> Widths:
        """The inner widths of the dense network, 0 for `blocks`."""
        widths = enumerate(self.inner_widths(self.base))
        return tuple(0 if block in blocks else width for block, width in widths)

    def _problem(self, inner: Widths) -> str:
        """Why the family cannot have these inner widths; empty if it can."""
        try:
            self.architecture_at(self.base, inner)
        except ValueError as error:
            return str(error)
        return ""

    def _removal_order(self, blocks: Collection[int]) -> list[int]:
        """These blocks, the first to be left out first."""
        by_stage = [
            [block for block in blocks if self.stages[block] == stage]
            for stage in range(len(self.base))
        ]
        order = []
        while any(by_stage):
            order += [blocks.pop() for blocks in reversed(by_stage) if blocks]
        return order
