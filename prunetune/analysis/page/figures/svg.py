"""SVG elements, scales and ticks, and marks that tell arms apart without colour."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape

_SHAPES = (
    "M-4.5,0a4.5,4.5 0 1,0 9,0a4.5,4.5 0 1,0 -9,0Z",
    "M-4,-4H4V4H-4Z",
    "M0,-5.2L5,4H-5Z",
    "M0,-5.6L5.6,0L0,5.6L-5.6,0Z",
    "M0,5.2L5,-4H-5Z",
    "M-5,-2H-2V-5H2V-2H5V2H2V5H-2V2H-5Z",
    "M-5,-1.7L0,-5.4L5,-1.7L3.1,4.4H-3.1Z",
    "M-5.5,-3H5.5V3H-5.5Z",
)
DASHES = ("", "6 4", "2 3", "8 3 2 3")
"""One dash pattern per matching."""


def tag(name: str, *children: str, **attributes: object) -> str:
    """An element. Children are markup, attribute values are escaped, `_` in a name is a hyphen."""
    pairs = (
        f' {key.rstrip("_").replace("_", "-")}="{escape(_number(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return f"<{name}{''.join(pairs)}>{''.join(children)}</{name}>"


def text(x: float, y: float, content: str, **attributes: object) -> str:
    """A line of text; `content` is escaped."""
    return tag("text", escape(content), x=x, y=y, **attributes)


def title(content: str) -> str:
    """The text of a tooltip, which screen readers read aloud."""
    return tag("title", escape(content))


def segment(x1: float, y1: float, x2: float, y2: float, class_: str) -> str:
    """A straight line."""
    return tag("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def mark(x: float, y: float, arm: int, *children: str, class_: str = "mark") -> str:
    """The mark of arm number `arm`, in its shape and colour.

    Shapes repeat after eight arms and shift by one each time, so that of 64 arms no two have both
    colour and shape in common.
    """
    shape = _SHAPES[(arm + arm // len(_SHAPES)) % len(_SHAPES)]
    position = f"translate({_number(x)},{_number(y)})"
    return tag("path", *children, d=shape, transform=position, class_=f"{class_} {arm_class(arm)}")


def arm_class(arm: int) -> str:
    """The CSS class with the arm's colour."""
    return f"arm-{arm}"


def point(target: str, tip: str, *children: str) -> str:
    """A mark that the keyboard reaches: it shows `tip` and leads to the address `target`."""
    return tag("a", title(tip), *children, href=target, class_="point")


def drawing(width: float, height: float, label: str, parts: Iterable[str], id_: str) -> str:
    """A complete SVG with its description for screen readers."""
    return tag(
        "svg",
        *parts,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {_number(width)} {_number(height)}",
        role="group",
        aria_label=label,
        class_=f"figure {id_}",
    )


@dataclass(frozen=True)
class Scale:
    """Maps data to pixels, linearly or on a log scale; values outside move to the nearer end."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """The pixel of `value`."""
        inside = min(max(value, self.low), self.high)
        low, high, at = (
            (math.log(self.low), math.log(self.high), math.log(inside))
            if self.log
            else (self.low, self.high, inside)
        )
        return self.start + (self.end - self.start) * (at - low) / (high - low)

    def ticks(self, about: int = 6) -> list[float]:
        """Round values within the scale; `about` that many on a linear scale."""
        if self.log:
            decades = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            for steps in ((1, 2, 5), range(1, 10)):
                values = [m * 10.0**d for d in decades for m in steps]
                inside = [v for v in values if self.low <= v <= self.high]
                if len(inside) > 2:
                    return inside
            about = 4  # a range so narrow is nearly linear
        step = _round_step((self.high - self.low) / about)
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [i * step for i in range(first, last + 1)]


def text_width(content: str) -> float:
    """The approximate width in pixels of a line of 12 px text."""
    return 6.6 * len(content)


def shortened(content: str, most: int = 30) -> str:
    """Text of at most so many characters; what is cut off is marked."""
    return content if len(content) <= most else f"{content[: most - 1]}…"


def _round_step(raw: float) -> float:
    power = 10.0 ** math.floor(math.log10(raw))
    return next(m * power for m in (1, 2, 5, 10) if m * power >= raw * 0.999)


def _number(value: object) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
