"""The legend above a figure: the marks of arms, the dense network, other signs."""

from __future__ import annotations

from collections.abc import Sequence

from prunetune.analysis.page.figures.svg import mark, tag, text, text_width

CROSS = "M-5,-5L5,5M-5,5L5,-5"
"""The mark of the dense network."""
_ROW, _FIRST = 19.0, 14.0


def legend(
    arms: Sequence[tuple[str, int]], others: Sequence[tuple[str, str]], width: float
) -> tuple[list[str], float]:
    """The elements of the legend, and the y coordinate of its lower end.

    Args:
        arms: (name, number) of each arm that the figure shows.
        others: (name, swatch) of everything else; a swatch is markup around (0, 0).
        width: the figure's width, at which rows are broken.
    """
    entries = [(name, mark(0.0, 0.0, number)) for name, number in arms]
    parts, at, row = [], 4.0, _FIRST
    for name, swatch in [*entries, *others]:
        shown = name if len(name) <= 28 else f"{name[:27]}…"
        room = 36 + text_width(shown)
        if at + room > width and at > 4:
            at, row = 4.0, row + _ROW
        parts.append(tag("g", swatch, transform=f"translate({at + 6:g},{row:g})"))
        parts.append(text(at + 18, row + 4, shown))
        at += room
    return parts, row + 16


def dense_swatch() -> str:
    """The cross of the dense network."""
    return tag("path", d=CROSS, class_="cross dense")
