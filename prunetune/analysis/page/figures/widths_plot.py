"""The widths of a network, layer by layer, in front of the outline of the dense network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from prunetune.analysis.format import count
from prunetune.analysis.page.figures.svg import drawing, tag
from prunetune.analysis.page.view import PageView
from prunetune.records.architecture import Architecture

_WIDTH, _HEIGHT = 240.0, 72.0


def winner_widths(
    view: PageView,
) -> list[tuple[str, str]]:
    """(caption, drawing) for the winner of every row whose architecture is known."""
    dense = Architecture.model_validate(view.plan.dense.architecture)
    drawings = []
    for row in view.rows:
        winner = view.records[row.winner] if row.winner else None
        if winner is None or winner.architecture is None:
            continue
        svg = widths_svg(winner.architecture, dense, view.arm(row.arm), row.study)
        if svg:
            drawings.append((f"{row.study} · {count(winner.macs)} MACs", svg))
    return drawings


def widths_svg(compact: Architecture, dense: Architecture, arm: int, name: str) -> str | None:
    """Bars of the remaining widths; None if the dense network has no convolution."""
    outline, kept = convolutions(dense), convolutions(compact)
    if not outline:
        return None
    tallest = max(max(outline.values()), max(kept.values(), default=0))
    share = sum(kept.get(layer, 0) for layer in outline) / sum(outline.values())
    label = f"{name}: widths of {len(outline)} convolutions, {share:.0%} of the dense channels"
    parts = [
        tag("path", d=_steps(list(outline), outline, tallest), class_="outline"),
        tag("path", d=_steps(list(outline), kept, tallest), class_=f"kept arm-{arm}"),
    ]
    return drawing(_WIDTH, _HEIGHT, label, parts, "widths")


def convolutions(architecture: Architecture) -> dict[str, int]:
    """Output channels of every convolution, in the order of the network."""
    return {name: w[1] for name, w in architecture.layers.items() if len(w) == 3}


def _steps(layers: Sequence[str], channels: Mapping[str, int], tallest: int) -> str:
    step = _WIDTH / len(layers)
    path = f"M0,{_HEIGHT:g}"
    for i, layer in enumerate(layers):
        top = _HEIGHT - (_HEIGHT - 2) * channels.get(layer, 0) / tallest
        path += f"V{top:.1f}H{(i + 1) * step:.1f}"
    return f"{path}V{_HEIGHT:g}Z"
