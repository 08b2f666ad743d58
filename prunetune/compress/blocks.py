"""Networks of the dense stage widths that are smaller inside: narrower blocks, or fewer.

Crowley et al. (1810.04622) reduce networks in both ways beside width. As in `thin`, what is left of
a budget is filled with extra channels inside the blocks.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import cached_property

from prunetune.compress.macs import Point
from prunetune.compress.thin import STAGE, Thinner, Widths, scalings
from prunetune.records.architecture import Architecture


class Inside(Thinner):
    """Blocks of any width between stages of the dense widths; a candidate has one per block.

    Raises ValueError if the family has no inner widths to choose.
    """

    def __init__(self, architecture: Architecture, profile: Sequence[Fraction] = ()) -> None:
        super().__init__(architecture, profile)
        if not self.inner(self.base):
            name = architecture.model
            raise ValueError(f"width_scaling: {name} has no blocks that can be narrower inside")

    def uniform(self, widths: Widths) -> Point:
        """The network of the dense stage widths with these inside its blocks."""
        return Point(self.costs, self.base + widths)

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

    That leaves the first block of each stage. The others go from the end, one stage after the
    other, so that a ResNet of 6n + 2 layers becomes those of fewer in between. A block that is gone
    has inner width 0; ValueError for a family that cannot have that.
    """

    def __init__(self, architecture: Architecture, profile: Sequence[Fraction] = ()) -> None:
        super().__init__(architecture, profile)
        nothing = f"width_scaling: {architecture.model} has no blocks to leave out"
        if len(self.candidates) == 1:
            raise ValueError(nothing)
        try:
            self.architecture_at(self.base, self.candidates[0])
        except ValueError as error:
            raise ValueError(f"{nothing}: {error}") from error

    @cached_property
    def candidates(self) -> list[Widths]:
        """From one block a stage to all of them."""
        widths = list(self.inner(self.base))
        found = [tuple(widths)]
        for block in self._leaving():
            widths[block] = 0
            found.append(tuple(widths))
        return found[::-1]

    def _leaving(self) -> list[int]:
        """The blocks in the order in which they go."""
        rest = [
            [block for block, of in enumerate(self.stages) if of == stage][1:]
            for stage in range(len(self.base))
        ]
        order = []
        while any(rest):
            order += [blocks.pop() for blocks in reversed(rest) if blocks]
        return order
