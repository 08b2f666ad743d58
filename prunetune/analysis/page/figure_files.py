"""The figures as files, for papers and slides: SVG and PDF."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from prunetune.analysis.page.figures.axes import WIDE, axes
from prunetune.analysis.page.figures.differences_plot import differences_svg
from prunetune.analysis.page.figures.frontier_plot import FrontierFigure
from prunetune.analysis.page.figures.parallel_plot import parallel_svg
from prunetune.analysis.page.figures.pdf import pdf_of
from prunetune.analysis.page.figures.phase_plot import phase_svg
from prunetune.analysis.page.figures.resolve import standalone
from prunetune.analysis.page.prices import PRICES
from prunetune.analysis.page.view import PageView


def figure_files(view: PageView) -> dict[str, bytes]:
    """The figures by file name, each as SVG and as PDF."""
    files = {}
    for name, svg in _figures(view):
        if svg is not None:
            alone = standalone(svg, view.arms)
            files[f"{name}.svg"], files[f"{name}.pdf"] = alone, pdf_of(alone)
    return files


def _figures(view: PageView) -> Iterator[tuple[str, str | None]]:
    for matching in view.plan.matchings():
        suffix = f"-{matching}" if len(view.plan.matchings()) > 1 else ""
        for axis in axes(view):
            draw = partial(FrontierFigure, view, axis, matching, WIDE)
            if axis.price in (None, "full"):
                name = "frontier" if axis.name == "macs" else f"frontier-{axis.name}"
                yield name + suffix, draw().svg()
    yield "differences", differences_svg(view)
    yield "phase", phase_svg(view, PRICES[0], WIDE)
    for i, arm in enumerate(view.arms):
        yield f"recipes-{i}", parallel_svg(view, arm)
