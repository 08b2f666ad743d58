"""Networks of the dense stage widths that are smaller inside: narrower blocks, or fewer.

Crowley et al. (1810.04622) reduce networks in both ways beside width. As in `thin`, what is left of
a budget is filled with extra channels inside the blocks.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from fractions import Fraction
from functools import cached_property

from prunetune.compress.budget.costs import CostPoint
from prunetune.compress.methods.width_scaling.solver import STAGE, Widths, WidthSolver, scalings
from prunetune.records.architecture import Architecture


class Inside(WidthSolver):
    """Blocks of any width between stages of the dense widths; a candidate has one per block.

    Raises ValueError if the family has no inner widths to choose.
    """

    def __init__(self, architecture: Architecture, profile: Sequence[Fraction] = ()) -> None:
        super().__init__(architecture, profile)
        if not self.inner(self.base):
            name = architecture.model
            raise ValueError(f"width_scaling: {name} has no blocks that can be narrower inside")

    def uniform(self, widths: Widths) -> CostPoint:
        """The network of the dense stage widths with these inside its blocks."""
        return CostPoint(self.costs, self.base + widths)

    def smallest_macs(self) -> int:
        """Of the first candidate."""
        return self.uniform(self.candidates[0]).macs

    @cached_property
    def stages(self) -> Widths:
        """The stage that each block belongs to."""
        tags = tuple(STAGE + stage for stage in range(len(self.base)))
        return tuple(
            next(stage for stage, tag in enumerate(tags) if inner % tag == 0)
            for inner in self.inner(tags)
        )


class Narrower(Inside):
    """All blocks narrower inside by one factor, relative to their stages' shares of the profile."""

    @cached_property
    def candidates(self) -> list[Widths]:
        """All rounded scalings, ascending."""
        return scalings(self.inner(self.base), [self.share(stage) for stage in self.stages])


class Shallower(Inside):
    """Fewer blocks of the dense widths: those with an identity beside them may go.

    That leaves the first block of each stage, or else those that the family cannot be without. The
    others go from the end, one stage after the other, so that a ResNet of 6n + 2 layers becomes
    those of fewer in between. A block that is gone has inner width 0; ValueError for a family that
    cannot have that at all.
    """

    def __init__(self, architecture: Architecture, profile: Sequence[Fraction] = ()) -> None:
        super().__init__(architecture, profile)
        blocks = range(len(self.stages))
        if self._why_not(self._without(self._leaving(self._later(blocks)))):
            self._may_go = [b for b in blocks if not self._why_not(self._without([b]))]
        else:
            self._may_go = self._later(blocks)
        if not self._may_go:
            why = self._why_not(self._without([blocks[-1]])) or "each is the first of its stage"
            name = architecture.model
            raise ValueError(f"width_scaling: {name} has no blocks to leave out: {why}")

    @cached_property
    def candidates(self) -> list[Widths]:
        """From as few blocks as can be to all of them."""
        order = self._leaving(self._may_go)
        return [self._without(order[:gone]) for gone in range(len(order), -1, -1)]

    def _later(self, blocks: Iterable[int]) -> list[int]:
        """All but the first of each stage."""
        return [block for block in blocks if block and self.stages[block - 1] == self.stages[block]]

    def _without(self, gone: Collection[int]) -> Widths:
        widths = enumerate(self.inner(self.base))
        return tuple(0 if block in gone else width for block, width in widths)

    def _why_not(self, inner: Widths) -> str:
        """Why the family cannot have these widths; nothing if it can."""
        try:
            self.architecture_at(self.base, inner)
        except ValueError as error:
            return str(error)
        return ""

    def _leaving(self, blocks: Collection[int]) -> list[int]:
        """These blocks in the order in which they go."""
        rest = [
            [block for block in blocks if self.stages[block] == stage]
            for stage in range(len(self.base))
        ]
        order = []
        while any(rest):
            order += [blocks.pop() for blocks in reversed(rest) if blocks]
        return order
