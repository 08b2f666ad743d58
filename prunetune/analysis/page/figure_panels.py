"""The figures of the page that a reader can switch, each in every view that its switches offer."""

from __future__ import annotations

from functools import partial

from prunetune.analysis.page.figures.axes import Axis, axes
from prunetune.analysis.page.figures.frontier_plot import FrontierFigure
from prunetune.analysis.page.figures.pair_plot import drawn_pairs, pair_svg
from prunetune.analysis.page.figures.phase_plot import phase_svg
from prunetune.analysis.page.literature import published_results
from prunetune.analysis.page.prices import PRICES
from prunetune.analysis.page.switches import Panel, Switch, panel, useful
from prunetune.analysis.page.view import PageView

_PRICE_WORDS = {"full": "in full", "free": "free"}
PRICE_SWITCH = Switch(
    "price", "dense network charged", tuple((price.name, price.words) for price in PRICES)
)


def frontier_switches(view: PageView) -> list[Switch]:
    """The switches above the frontier."""
    quantities = dict.fromkeys((axis.name, axis.words) for axis in axes(view))
    published = (("no", "hidden"), ("yes", "shown"))
    return useful(
        [
            Switch("x", "across", tuple(quantities)),
            matching_switch(view),
            Switch("price", PRICE_SWITCH.label, PRICE_SWITCH.options, "x=training"),
            Switch(
                "published", "published results",
                published if published_results(view.plan) else published[:1], "x=macs",
            ),
        ]
    )  # fmt: skip


def matching_switch(view: PageView) -> Switch:
    """The matchings of epochs of this sweep; plotted apart, since their epochs differ."""
    options = tuple((f"m{i}", str(m)) for i, m in enumerate(view.plan.matchings()))
    return Switch("matching", "epochs matched by", options)


def frontier_panels(view: PageView) -> list[Panel]:
    """The frontier for every quantity, matching and price, with and without published results."""
    panels = []
    for i, matching in enumerate(view.plan.matchings()):
        for axis in axes(view):
            panels.append(_frontier_panel(view, axis, i, matching))
        if published_results(view.plan):
            panels.append(_published_panel(view, axes(view)[0], i, matching))
    return [panel for panel in panels if panel is not None]


def _frontier_panel(view: PageView, axis: Axis, i: int, matching: str | None) -> Panel | None:
    when = f"x={axis.name}" + (f" price={axis.price}" if axis.price else "")
    when += _matching(view, i) + (" published=no" if _offers_published(view, axis) else "")
    caption = f"Against {axis.words}" + (f", dense network {axis.price}" if axis.price else "")
    spare = axis.price is not None and axis.price not in _PRICE_WORDS
    return panel(
        when,
        caption + (f", {matching}" if matching else ""),
        lambda width: FrontierFigure(view, axis, matching, width).svg(),
        spare,
    )


def _published_panel(view: PageView, axis: Axis, i: int, matching: str | None) -> Panel | None:
    return panel(
        f"x={axis.name}{_matching(view, i)} published=yes",
        "With published results",
        lambda width: FrontierFigure(
            view, axis, matching, width, published_results(view.plan)
        ).svg(),
        spare=True,
    )


def _matching(view: PageView, i: int) -> str:
    return f" matching=m{i}" if len(view.plan.matchings()) > 1 else ""


def _offers_published(view: PageView, axis: Axis) -> bool:
    return axis.name == "macs" and bool(published_results(view.plan))


def pair_switch(view: PageView) -> Switch:
    """The choice of two arms."""
    pairs = drawn_pairs(view)
    options = tuple((f"p{i}", f"{a} \N{MINUS SIGN} {b}") for i, (a, b) in enumerate(pairs))
    return Switch("pair", "difference", options)


def pair_panels(view: PageView) -> list[Panel]:
    """The difference of every pair along the budgets, for every matching."""
    panels = []
    for p, (a, b) in enumerate(drawn_pairs(view)):
        for i, matching in enumerate(view.plan.matchings()):
            caption = f"{a} \N{MINUS SIGN} {b}" + (f", {matching}" if matching else "")
            draw = partial(pair_svg, view, a, b, matching)
            panels.append(panel(f"pair=p{p}{_matching(view, i)}", caption, draw))
    return [panel for panel in panels if panel is not None]


def phase_panels(view: PageView) -> list[Panel]:
    """The phase diagram for every price of the dense network."""
    panels = [
        panel(
            f"price={price.name}",
            f"dense network {price.words}",
            partial(phase_svg, view, price),
            spare=price.name not in _PRICE_WORDS,
        )
        for price in PRICES
    ]
    return [panel for panel in panels if panel is not None]
