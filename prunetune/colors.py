"""The colour of each arm, the same in MLflow and in the report."""

from __future__ import annotations

from collections.abc import Sequence

# After Okabe and Ito (2008): colour-blind readers tell these apart, on screen and in print. The
# fifth to seventh are darker than theirs: every mark has a contrast of 3:1 on white (WCAG 1.4.11).
PALETTE = (
    *("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#BF8400", "#3A96CC", "#6B4F10", "#000000"),
    # As far as possible from those and from each other; MLflow's charts know no other mark.
    *("#7B2FBE", "#8C0F4A", "#7F8A1E", "#E0407C", "#00555A", "#7C7CF0", "#A0522D", "#B00020"),
)
DENSE = "#666666"


def arm_colors(arms: Sequence[str]) -> dict[str, str]:
    """Arm -> hex colour, by the arm's place in the sweep file; colours repeat after 16 arms."""
    return {arm: PALETTE[i % len(PALETTE)] for i, arm in enumerate(arms)}
