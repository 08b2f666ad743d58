"""Published results as a layer of the frontier: open rings with their names, never a claim."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from prunetune.analysis.page.figures.axes import Frame
from prunetune.analysis.page.figures.svg import Scale, tag, text, text_width, title
from prunetune.analysis.page.literature import Published

_RING = "M-4,0a4,4 0 1,0 8,0a4,4 0 1,0 -8,0Z"
LabelRoom = tuple[float, float, float, float]


def published_swatch() -> str:
    """The ring of a published result."""
    return tag("path", d=_RING, class_="published")


def published_layer(
    published: Sequence[Published],
    frame: Frame,
    x: Scale,
    y: Scale,
    marks: Sequence[tuple[float, float]] = (),
) -> Iterator[str]:
    """A ring for each result, and its name where that covers no other name and no mark."""
    places = [*marks, *((x(p.macs), y(p.accuracy)) for p in published)]
    taken: list[LabelRoom] = [(at - 5, down - 5, at + 5, down + 5) for at, down in places]
    for result in published:
        at, height = x(result.macs), y(result.accuracy)
        tip = (
            f"{result.method} (published): {100 * result.accuracy:.2f} % at {result.ratio:g}x "
            f"fewer MACs, from {result.base_words}\n{result.source}"
        )
        position = f"translate({at:.1f},{height:.1f})"
        yield tag("path", title(tip), d=_RING, transform=position, class_="published")
        yield from _name(result.method, at, height, frame, taken)


def _name(
    name: str, at: float, height: float, frame: Frame, taken: list[LabelRoom]
) -> Iterator[str]:
    width = text_width(name) * 0.85
    places = [(8.0, 3.0), (-8.0 - width, 3.0), (-width / 2, -8.0), (-width / 2, 15.0)]
    for right, down in places:
        box = (at + right, height + down - 9, at + right + width, height + down + 2)
        inside = frame.left <= box[0] and box[2] <= frame.right
        if inside and not any(_overlap(box, other) for other in taken):
            taken.append(box)
            yield text(at + right, height + down, name, class_="quiet small")
            return


def _overlap(a: LabelRoom, b: LabelRoom) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
