"""The curves of search effort, one small figure per budget and matching."""

from __future__ import annotations

from dataclasses import dataclass

from prunetune.analysis.format import listing
from prunetune.analysis.page.figures.effort_plot import Effort, curves_at, effort_svg
from prunetune.analysis.page.switches import Switch
from prunetune.analysis.page.view import PageView
from prunetune.analysis.verdicts.sentences import contest_name

EFFORT_SWITCH = Switch("effort", "against", (("trials", "trials"), ("macs", "MACs spent")))


_MOST_NAMES = 8


@dataclass(frozen=True)
class EffortFigure:
    """One small figure with its caption."""

    when: str
    caption: str
    svg: str


def effort_figures(view: PageView) -> list[EffortFigure]:
    """Every contest's curves against trials and against MACs."""
    figures = []
    efforts: tuple[Effort, ...] = ("trials", "macs")
    for verdict in view.report.verdicts:
        curves = curves_at(view, verdict.budget, verdict.matching)
        name = contest_name(verdict.budget, verdict.matching)
        for effort in efforts if curves else ():
            svg = effort_svg(view, curves, effort, name, verdict.matching)
            if svg:
                figures.append(EffortFigure(f"effort={effort}", name, svg))
    return figures


def effort_words(view: PageView) -> str:
    """What the curves are, and which searches were still rising at their end."""
    kinds = {curve.kind for curve in view.report.efforts}
    words = []
    if "expected best" in kinds:
        words.append(
            "Trials were drawn independently, so the curve is the expected best of n of them, "
            "without bias (Tang et al., 2020); the band holds 80 % of searches of n trials and "
            "ends at half of the trials."
        )
    if "best so far" in kinds:
        words.append(
            "The sampler learns from earlier trials, so the curve is the best so far in the order "
            "of the trials, and one search has no band."
        )
    if rising := [curve.study for curve in view.report.efforts if curve.still_rising]:
        few = len(rising) <= _MOST_NAMES
        names = listing(rising) if few else f"{len(rising)} of {len(view.report.efforts)} searches"
        words.append(f"Still rising at the end: {names}.")
    return " ".join(words)
