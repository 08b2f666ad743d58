"""The widths of a network, layer by layer, before the outline of the dense one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from prunetune.analysis.page.figures.svg import drawing, tag
from prunetune.records.architecture import Architecture

WIDTH, HEIGHT = 240.0, 72.0


def convolutions(architecture: Architecture) -> dict[str, int]:
    """Output channels of every convolution, in the order of the network."""
    return {name: w[1] for name, w in architecture.layers.items() if len(w) == 3}


def widths_svg(compact: Architecture, dense: Architecture, arm: int, name: str) -> str | None:
    """Bars of the widths kept; None where the dense network names no convolution."""
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
    return drawing(WIDTH, HEIGHT, label, parts, "widths")


def _steps(layers: Sequence[str], channels: Mapping[str, int], tallest: int) -> str:
    step = WIDTH / len(layers)
    path = f"M0,{HEIGHT:g}"
    for i, layer in enumerate(layers):
        top = HEIGHT - (HEIGHT - 2) * channels.get(layer, 0) / tallest
        path += f"V{top:.1f}H{(i + 1) * step:.1f}"
    return f"{path}V{HEIGHT:g}Z"
