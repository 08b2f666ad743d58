"""Which arm wins where: deployed MACs by training MACs, in the colour of the arm ahead."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from statistics import fmean

from prunetune.analysis.format import count, p_value
from prunetune.analysis.page.figures.axes import NARROW, Frame, budget_ticks, log_ticks, stamp_lines
from prunetune.analysis.page.figures.legend import legend
from prunetune.analysis.page.figures.spots import studies_of
from prunetune.analysis.page.figures.svg import (
    Scale,
    arm_class,
    drawing,
    mark,
    segment,
    text,
    text_width,
    title,
)
from prunetune.analysis.page.prices import Price, training_of_one
from prunetune.analysis.page.view import PageView
from prunetune.analysis.verdicts.labels import verdict_label
from prunetune.analysis.verdicts.sentences import contest_name
from prunetune.analysis.verdicts.verdict import Verdict


@dataclass(frozen=True)
class Region:
    """One contest: where it lies, who is ahead there, and how sure that is."""

    verdict: Verdict
    deploy: float
    training: float
    """Training MACs of one network from scratch, which the matching decides; where no arm starts
    from scratch, those of the arm ahead."""
    costs: Mapping[str, float]
    """Training MACs of one network of each arm."""


def regions(view: PageView, price: Price) -> list[Region]:
    """Every contest in which an arm is ahead, with the training MACs of its arms."""
    found = []
    for verdict in view.report.verdicts:
        costs = _costs(view, verdict, price)
        ahead = verdict.best
        if ahead is None or ahead not in costs or len(costs) < 2:
            continue
        scratch = [costs[arm] for arm in costs if _is_matched(view, verdict, arm)]
        macs = verdict.arms[ahead].macs
        if macs:
            found.append(Region(verdict, macs, fmean(scratch) if scratch else costs[ahead], costs))
    return found


def _costs(view: PageView, verdict: Verdict, price: Price) -> dict[str, float]:
    costs = {}
    for name in verdict.arms:
        values = [training_of_one(view, r, price) for r in studies_of(view, verdict, name)]
        if known := [value for value in values if value]:
            costs[name] = fmean(known)
    return costs


def _is_matched(view: PageView, verdict: Verdict, arm: str) -> bool:
    """Whether the matching decides how long this arm trains."""
    return any(row.matching is not None for row in studies_of(view, verdict, arm))


def confidence(verdict: Verdict) -> str:
    """How sure the lead is: `settled`, `equivalent`, or the corrected p of the lead."""
    if verdict.verdict == "wins":
        return f"{verdict_label(verdict)}, corrected {p_value(verdict.p)}"
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
    every = [macs for region in found for macs in region.costs.values()]
    low, high = min(every), max(every)
    y = Scale(low * 0.75, high * 1.35, frame.bottom, frame.top, log=True)
    budgets = budget_ticks(view, x)
    matched = any(_is_matched(view, r.verdict, arm) for r in found for arm in r.costs)
    what = f"training MACs of one network{' from scratch' if matched else ''}"
    other = "" if width == NARROW else f" (bars: of all arms, dense network {price.words})"
    taken: list[tuple[float, float]] = []
    parts = [
        *key,
        *frame.x_axis(x, budgets if len(budgets) > 1 else log_ticks(x), "deployed MACs per image"),
        *frame.y_axis(y, log_ticks(y), what + other),
        *frame.stamp(view.rung()),
    ]
    for region in found:
        parts += _region(view, region, x, y, width, taken)
    label = (
        "Which arm is ahead, by deployed MACs and by the training MACs of one network. A filled "
        "mark is a settled win, a hollow one is not."
    )
    return drawing(width, frame.height, label, parts, "phase")


def _region(
    view: PageView,
    region: Region,
    x: Scale,
    y: Scale,
    width: float,
    taken: list[tuple[float, float]],
) -> Iterator[str]:
    verdict, at, height = region.verdict, x(region.deploy), y(region.training)
    arm = view.arm(verdict.best or "")
    costs = ", ".join(f"{name} {count(macs)}" for name, macs in region.costs.items())
    tip = (
        f"{contest_name(verdict.budget, verdict.matching)}\n"
        f"{verdict.best}: {confidence(verdict)}\n"
        f"lead {view.points(verdict.difference)} points over {verdict.runner_up}\n"
        f"one network trains for: {costs} MACs"
    )
    ends = [y(macs) for macs in region.costs.values()]
    yield segment(at, min(ends), at, max(ends), f"span {arm_class(arm)}")
    settled = verdict.verdict == "wins"
    style = "mark phase" if settled else "mark phase hollow"
    yield mark(at, height, arm, title(tip), class_=style)
    if verdict.p is not None:
        yield from _p_beside(p_value(verdict.p), at, height, width, settled, taken)


def _p_beside(
    words: str,
    at: float,
    height: float,
    width: float,
    settled: bool,
    taken: list[tuple[float, float]],
) -> Iterator[str]:
    """The corrected p, where it covers no other; the tooltip has it in any case."""
    room = text_width(words)
    if any(abs(at - x) < room + 14 and abs(height - y) < 13 for x, y in taken):
        return
    taken.append((at, height))
    right = at + 10 + room < width
    anchor, beside = ("start", 10) if right else ("end", -10)
    yield text(
        at + beside, height + 4, words, text_anchor=anchor, class_="strong" if settled else "quiet"
    )
