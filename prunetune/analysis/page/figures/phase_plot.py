"""Which arm wins where: deployed MACs by training MACs, in the colour of the arm ahead."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from prunetune.analysis.format import count, p_value
from prunetune.analysis.page.figures.axes import Frame, budget_ticks, log_ticks, stamp_lines
from prunetune.analysis.page.figures.legend import legend
from prunetune.analysis.page.figures.spots import studies_of
from prunetune.analysis.page.figures.svg import (
    Scale,
    arm_class,
    drawing,
    mark,
    segment,
    text,
    title,
)
from prunetune.analysis.page.prices import Price, training_of_one
from prunetune.analysis.page.view import PageView
from prunetune.analysis.verdicts.sentences import contest_name
from prunetune.analysis.verdicts.verdict import Verdict


@dataclass(frozen=True)
class Region:
    """One contest: where it lies, who is ahead there, and how sure that is."""

    verdict: Verdict
    deploy: float
    training: float
    """Training MACs of one network of the arm ahead."""
    cheapest: float
    dearest: float
    """Training MACs of one network, over all arms compared."""


def regions(view: PageView, price: Price) -> list[Region]:
    """Every contest in which an arm is ahead, with the training MACs of its arms."""
    found = []
    for verdict in view.report.verdicts:
        ahead = verdict.best
        costs = {}
        for name in verdict.arms:
            values = [training_of_one(view, r, price) for r in studies_of(view, verdict, name)]
            known = [value for value in values if value]
            if known:
                costs[name] = sum(known) / len(known)
        arm = verdict.arms.get(ahead or "")
        if ahead in costs and arm is not None and arm.macs and len(costs) > 1:
            ends = min(costs.values()), max(costs.values())
            found.append(Region(verdict, arm.macs, costs[ahead], *ends))
    return found


def confidence(verdict: Verdict) -> str:
    """How sure the lead is: `settled`, `equivalent`, or the corrected p of the lead."""
    if verdict.verdict == "wins":
        return f"wins, corrected {p_value(verdict.p)}"
    if verdict.verdict == "equivalent":
        return "equivalent within the margin"
    return f"ahead, undecided, corrected {p_value(verdict.p)}"


def phase_svg(view: PageView, price: Price, width: float) -> str | None:
    """The figure; None where no contest has an arm ahead."""
    found = regions(view, price)
    if not found:
        return None
    ahead = dict.fromkeys(region.verdict.best or "" for region in found)
    key, top = legend([(name, view.arm(name)) for name in ahead], [], width)
    foot = 13.0 * len(stamp_lines(width, view.rung()))
    frame = Frame(width, top + 300.0 + foot, 62.0, width - 12, top + 26, top + 226)
    x = frame.x(min(r.deploy for r in found) * 0.75, view.plan.dense.macs * 1.1, log=True)
    low, high = min(r.cheapest for r in found), max(r.dearest for r in found)
    y = Scale(low * 0.75, high * 1.35, frame.bottom, frame.top, log=True)
    budgets = budget_ticks(view, x)
    parts = [
        *key,
        *frame.x_axis(x, budgets if len(budgets) > 1 else log_ticks(x), "deployed MACs per image"),
        *frame.y_axis(y, log_ticks(y), f"training MACs of one network, dense {price.words}"),
        *frame.stamp(view.rung()),
    ]
    for region in found:
        parts += _region(view, region, x, y, width)
    label = (
        "Which arm is ahead, by deployed MACs and by the training MACs of one network. A filled "
        "mark is a settled win, a hollow one is not."
    )
    return drawing(width, frame.height, label, parts, "phase")


def _region(view: PageView, region: Region, x: Scale, y: Scale, width: float) -> Iterator[str]:
    verdict, at = region.verdict, x(region.deploy)
    arm = view.arm(verdict.best or "")
    name = contest_name(verdict.budget, verdict.matching)
    tip = (
        f"{name}: {verdict.best} {confidence(verdict)}; lead {view.points(verdict.difference)} "
        f"points over {verdict.runner_up}; one network trains for {count(region.training)} MACs "
        f"(all arms: {count(region.cheapest)} to {count(region.dearest)})"
    )
    yield segment(at, y(region.cheapest), at, y(region.dearest), f"span {arm_class(arm)}")
    settled = verdict.verdict == "wins"
    style = "mark phase" if settled else "mark phase hollow"
    yield mark(at, y(region.training), arm, title(tip), class_=style)
    words = "" if verdict.p is None else p_value(verdict.p)
    right = at + 10 + 6.6 * len(words) < width
    anchor, beside = ("start", 10) if right else ("end", -10)
    yield text(
        at + beside, y(region.training) + 4, words, text_anchor=anchor,
        class_="strong" if settled else "quiet",
    )  # fmt: skip
