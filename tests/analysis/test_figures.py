"""Figures: what tells arms apart."""

from __future__ import annotations

import re

from prunetune.analysis.page.figures.svg import mark
from prunetune.colors import arm_colors


def test_no_two_of_64_arms_look_alike() -> None:
    colors = list(arm_colors([f"arm {i}" for i in range(64)]).values())
    shapes = [re.search(r' d="([^"]+)"', mark(0, 0, i)) for i in range(64)]
    assert all(shapes)
    assert len({(c, s.group(1)) for c, s in zip(colors, shapes, strict=True) if s}) == 64
