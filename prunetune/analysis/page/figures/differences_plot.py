"""The figure of differences between arms, with the simultaneous intervals behind the verdicts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from prunetune.analysis.format import p_value
from prunetune.analysis.page.figures.axes import stamp
from prunetune.analysis.page.figures.svg import (
    Scale,
    drawing,
    mark,
    segment,
    shortened,
    tag,
    text,
    text_width,
    title,
)
from prunetune.analysis.page.view import PageView
from prunetune.analysis.verdicts.arm_pairs import Pair
from prunetune.analysis.verdicts.labels import judged_label
from prunetune.analysis.verdicts.sentences import contest_name
from prunetune.analysis.verdicts.verdict import Verdict

MOST_COMPARISONS = 120
"""More lines than this are no figure; report.json has every comparison."""
_WIDTH, _LINE, _TOP, _BOTTOM = 760.0, 22.0, 30.0, 44.0
_NUMBER, _BOLD = 58.0, 1.12
"""Room for a difference in figures; how much wider than other words bold ones are."""


def differences_svg(view: PageView) -> str | None:
    """The figure, one line per comparison; None while nothing is compared."""
    plan, report = view.plan, view.report
    groups = shown_comparisons(report.verdicts)
    pairs = [pair for _, group in groups for pair in group]
    if all(pair.difference is None for pair in pairs):
        return None
    left = min(240.0, 24 + max(text_width(_name(pair)) for pair in pairs))
    height = _TOP + _LINE * (len(pairs) + 1.25 * len(groups)) + _BOTTOM
    reach = _reach(pairs, plan.confirm.margin)
    words = max(text_width(shortened(judged_label(pair))) for pair in pairs)
    x = Scale(-reach, reach, left, _WIDTH - max(190.0, _NUMBER + _BOLD * words))
    parts = [*_axes(x, plan.confirm.margin, height)]
    at = _TOP + _LINE / 2
    for name, group in groups:
        parts.append(text(4, at + 4, name, class_="strong"))
        at += _LINE
        for pair in group:
            parts += _line(view, pair, x, at)
            at += _LINE
        at += _LINE / 4
    label = "Differences of test accuracy between arms with simultaneous 95 % intervals."
    foot = height + 13 * len(view.rung())
    return drawing(_WIDTH, foot, label, [*parts, *stamp(_WIDTH, foot, view.rung())], "differences")


def shown_comparisons(verdicts: Sequence[Verdict]) -> list[tuple[str, list[Pair]]]:
    """(contest, its comparisons); of very many the settled ones first, then the largest."""
    every = [(i, pair) for i, verdict in enumerate(verdicts) for pair in verdict.pairs]
    if len(every) > MOST_COMPARISONS:
        every = sorted(every, key=lambda one: _weight(one[1]))[:MOST_COMPARISONS]
    drawn = {(i, pair.a, pair.b) for i, pair in every}
    groups = [
        (contest_name(v.budget, v.matching), [p for p in v.pairs if (i, p.a, p.b) in drawn])
        for i, v in enumerate(verdicts)
    ]
    return [(name, pairs) for name, pairs in groups if pairs]


def _weight(pair: Pair) -> tuple[bool, float]:
    return pair.verdict == "undecided", -abs(pair.difference or 0.0)


def _line(view: PageView, pair: Pair, x: Scale, at: float) -> Iterator[str]:
    yield text(16, at + 4, _name(pair))
    if pair.low is None or pair.high is None or pair.difference is None:
        reason = pair.reason or ""
        short = reason if len(reason) < 60 else reason[:57] + "…"
        note = text(x.start + 6, at + 4, f"not judged: {short}", class_="quiet")
        yield tag("g", title(reason), note)
        return
    better = pair.a if pair.difference > 0 else pair.b
    arm = view.arm(better)
    yield segment(x(pair.low), at, x(pair.high), at, f"whisker arm-{arm}")
    for end in (pair.low, pair.high):
        if x.low <= end <= x.high:
            yield segment(x(end), at - 4, x(end), at + 4, f"whisker arm-{arm}")
    tooltip = (
        f"{_name(pair)}: {view.points(pair.difference)} points, {view.points(pair.low)} to "
        f"{view.points(pair.high)}, corrected {p_value(pair.p)}, {_test(pair)}"
    )
    style = "mark pair" if pair.verdict == "wins" else "mark pair hollow"
    yield mark(x(pair.difference), at, arm, title(tooltip), class_=style)
    yield text(x.end + 8, at + 4, view.points(pair.difference), class_="number")
    verdict = shortened(judged_label(pair))
    yield text(x.end + _NUMBER, at + 4, verdict, class_="strong" if pair.winner else "quiet")


def _axes(x: Scale, margin: float, height: float) -> Iterator[str]:
    bottom = height - _BOTTOM
    yield tag(
        "rect", title("the margin of equivalence, stated beforehand"), class_="margin",
        x=x(-margin), y=_TOP - 8, width=x(margin) - x(-margin), height=bottom - _TOP + 8,
    )  # fmt: skip
    for tick in x.ticks(8):
        yield segment(x(tick), _TOP - 8, x(tick), bottom, "axis" if tick == 0 else "grid")
        label = f"{100 * tick:+.3g}".replace("-", "\N{MINUS SIGN}") if tick else "0"
        yield text(x(tick), bottom + 17, label, text_anchor="middle")
    middle = (x.start + x.end) / 2
    label = "difference, points (first minus second)"
    yield text(middle, bottom + 36, label, text_anchor="middle")


def _reach(pairs: Sequence[Pair], margin: float) -> float:
    """Half the range of the x axis.

    It contains all differences. Wide intervals are cut off so that differences stay apart.
    """
    differences = [abs(p.difference) for p in pairs if p.difference is not None]
    ends = [abs(e) for p in pairs for e in (p.low, p.high) if e is not None]
    widest = max([*ends, *differences, 1.5 * margin])
    return 1.05 * min(widest, max([4 * d for d in differences] + [5 * margin]))


def _name(pair: Pair) -> str:
    return f"{pair.a} \N{MINUS SIGN} {pair.b}"


def _test(pair: Pair) -> str:
    kind = "paired" if pair.paired else "Welch"
    return f"{kind}, n = {pair.n}"
