"""Switches of the page and the panels that they choose between.

A page without its script shows every panel, except those that only a switch is meant to bring up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from prunetune.analysis.page.figures.axes import NARROW, WIDE


@dataclass(frozen=True)
class Switch:
    """A choice of one value; `name` and values are words of ours, never of users."""

    name: str
    label: str
    options: tuple[tuple[str, str], ...]
    """(value, words) of each option; the first is the default."""
    when: str = ""
    """Where the switch itself makes sense, as in `Panel`."""


@dataclass(frozen=True)
class Panel:
    """What one combination of switches shows."""

    when: str
    """`name=value` of each switch, parted by spaces."""
    caption: str
    """The combination in words, for readers without the script."""
    wide: str
    narrow: str
    spare: bool = False
    """Whether the panel stays hidden without the script."""


def panel(
    when: str, caption: str, draw: Callable[[float], str | None], spare: bool = False
) -> Panel | None:
    """A panel with the drawing in both widths; None where there is nothing to draw."""
    wide, narrow = draw(WIDE), draw(NARROW)
    if wide is None or narrow is None:
        return None
    return Panel(when, caption, wide, narrow, spare)


def useful(switches: Sequence[Switch]) -> list[Switch]:
    """The switches that offer a choice."""
    return [switch for switch in switches if len(switch.options) > 1]
