"""The tables beyond top-1, every cell as text: likelihood, calibration, disagreement, classes."""

from __future__ import annotations

from dataclasses import dataclass

from prunetune.analysis.format import NOTHING
from prunetune.analysis.page.view import PageView
from prunetune.statistics.intervals import Estimate


@dataclass(frozen=True)
class BeyondLine:
    """One study of the tables."""

    arm: str
    study: str
    networks: int
    nll: str
    calibration: str
    disagreement: str
    classes: tuple[str, ...]


def beyond_lines(view: PageView) -> list[BeyondLine]:
    """A line for the dense networks and for every study whose outputs per image were kept."""
    arms = {row.study: row.arm for row in view.rows}
    return [
        BeyondLine(
            arms.get(found.study, ""),
            "dense network" if found.study == "dense" else found.study,
            found.networks,
            _interval(found.nll, 1.0, 3),
            _interval(found.calibration_error, 100.0, 1),
            _interval(found.disagreement, 100.0, view.digits),
            tuple(_interval(estimate, 100.0, 1) for estimate in found.classes),
        )
        for found in view.report.beyond_top1
    ]


def _interval(estimate: Estimate | None, unit: float, digits: int) -> str:
    """`0.312 [0.300, 0.324]`, in multiples of 1 / unit."""
    if estimate is None or estimate.mean is None:
        return NOTHING
    mean = f"{unit * estimate.mean:.{digits}f}"
    if estimate.low is None or estimate.high is None:
        return mean
    low = max(0.0, unit * estimate.low)  # none of these quantities is below zero
    return f"{mean} [{low:.{digits}f}, {unit * estimate.high:.{digits}f}]"
