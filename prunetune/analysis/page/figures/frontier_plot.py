"""The figure of the frontier: test accuracy of every arm, with bands, against a chosen quantity."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from prunetune.analysis.format import count
from prunetune.analysis.page.figures.axes import (
    NARROW,
    Axis,
    Frame,
    budget_ticks,
    log_ticks,
    stamp_lines,
)
from prunetune.analysis.page.figures.legend import CROSS, dense_swatch, legend
from prunetune.analysis.page.figures.published_layer import published_layer, published_swatch
from prunetune.analysis.page.figures.spots import Spot, spots, studies_drawn
from prunetune.analysis.page.figures.svg import (
    Scale,
    arm_class,
    drawing,
    mark,
    point,
    segment,
    tag,
    text,
    title,
)
from prunetune.analysis.page.literature import Published
from prunetune.analysis.page.points import tip_of
from prunetune.analysis.page.view import PageView

_MOST_BANDS = 4
"""Bands of more arms cover each other; their intervals are drawn as whiskers alone."""


@dataclass(frozen=True)
class FrontierFigure:
    """One view of the frontier: what is on the x axis, and which studies it shows."""

    view: PageView
    axis: Axis
    matching: str | None
    width: float
    published: tuple[Published, ...] = ()

    def svg(self) -> str | None:
        """The figure, one mark of class `study` per study; None while nothing is confirmed."""
        drawn = spots(self.view, self.axis, self.matching)
        if not drawn:
            return None
        arms = [(name, i) for i, name in enumerate(self.view.arms) if _has(drawn, name)]
        others = [("dense network", dense_swatch())] if self._dense_x() else []
        others += [("published", published_swatch())] if self.published else []
        key, top = legend(arms, others, self.width)
        frame = self._frame(top)
        x, y = self._scales(frame, drawn)
        shift = self._shifts(arms)
        parts = [*key, *self._axes(frame, x, y), *self._dense(frame, x, y)]
        marks = [(x(s.x) + shift[s.arm], y(s.mean)) for s in drawn]
        parts += published_layer(self.published, frame, x, y, marks)
        for name, i in arms:
            parts += self._line(i, [s for s in drawn if s.arm == name], x, y, shift[name])
        parts += self._marks(x, y, shift)
        label = (
            f"Test accuracy against {self.axis.words}, one mark per study"
            f"{f', {self.matching}' if self.matching else ''}. The table of all figures has the "
            "same numbers."
        )
        return drawing(self.width, frame.height, label, parts, "frontier")

    def _frame(self, top: float) -> Frame:
        foot = 13.0 * len(stamp_lines(self.width, self.view.rung(self.matching)))
        height = foot + top + (270.0 if self.width == NARROW else 330.0)
        return Frame(self.width, height, 46.0, self.width - 12, top + 26, height - 74 - foot)

    def _axes(self, frame: Frame, x: Scale, y: Scale) -> Iterator[str]:
        budgets = budget_ticks(self.view, x) if self.axis.name == "macs" else []
        ticks = budgets if len(budgets) > 1 else log_ticks(x)
        label = self.axis.label
        if budgets and ticks is budgets:
            label = "MACs per image, achieved"
        yield from frame.x_axis(x, ticks, label)
        marks = [(tick, f"{100 * tick:.2f}".rstrip("0").rstrip(".")) for tick in y.ticks()]
        yield from frame.y_axis(y, marks, "test accuracy, %")
        yield from frame.stamp(self.view.rung(self.matching))

    def _dense_x(self) -> float | None:
        return self.axis.dense if self.view.report.dense.mean is not None else None

    def _dense(self, frame: Frame, x: Scale, y: Scale) -> Iterator[str]:
        dense = self.view.report.dense
        if dense.mean is None:
            return
        yield segment(frame.left, y(dense.mean), frame.right, y(dense.mean), "reference")
        at = self._dense_x()
        if at is None:
            yield text(frame.right, y(dense.mean) - 5, "dense network", text_anchor="end")
            return
        label = f"dense network: {self.view.percent(dense.mean)} %, n = {dense.n}"
        yield from _whisker(Spot("", at, dense.mean, dense.low, dense.high), x(at), y, "dense")
        position = f"translate({x(at):.1f},{y(dense.mean):.1f})"
        yield tag("path", title(label), d=CROSS, transform=position, class_="cross dense")

    def _line(
        self, arm: int, ordered: list[Spot], x: Scale, y: Scale, shift: float
    ) -> Iterator[str]:
        """The band, the whiskers and the line of one arm."""
        ordered = sorted(ordered, key=lambda s: s.x)
        at = [x(spot.x) + shift for spot in ordered]
        if len(self.view.arms) <= _MOST_BANDS:
            yield from _band(ordered, at, y, arm)
        corners = " ".join(f"{a:.1f},{y(s.mean):.1f}" for a, s in zip(at, ordered, strict=True))
        yield tag("polyline", points=corners, class_=f"path {arm_class(arm)}")
        for a, spot in zip(at, ordered, strict=True):
            yield from _whisker(spot, a, y, arm_class(arm))

    def _marks(self, x: Scale, y: Scale, shift: dict[str, float]) -> Iterator[str]:
        for row in studies_drawn(self.view.rows, self.matching):
            value = self.axis.value(row)
            if value is None or not value > 0:
                continue
            sign = mark(
                x(value) + shift[row.arm], y(row.test_acc1 or 0.0), self.view.arm(row.arm),
                class_="mark study",
            )  # fmt: skip
            tip = tip_of(self.view, row)
            if self.axis.name != "macs":  # the tip has them
                tip += f"\n{self.axis.words}: {count(value)}"
            yield point(self.view.link(row.study), tip, sign)

    def _shifts(self, arms: Sequence[tuple[str, int]]) -> dict[str, float]:
        """Arm -> pixels to the side: at one budget the MACs of all arms nearly coincide."""
        if self.axis.name != "macs":
            return {name: 0.0 for name, _ in arms}
        apart = min(8.0, (40.0 if self.width == NARROW else 64.0) / max(len(arms), 1))
        return {name: apart * (i - (len(arms) - 1) / 2) for i, (name, _) in enumerate(arms)}

    def _scales(self, frame: Frame, drawn: Sequence[Spot]) -> tuple[Scale, Scale]:
        at = [s.x for s in drawn] + [p.macs for p in self.published]
        if (dense := self._dense_x()) is not None:
            at.append(dense)
        x = frame.x(min(at) * 0.8, max(at) * 1.2, log=True)
        return x, frame.y(*accuracy_range(self.view, drawn, self.published))


def accuracy_range(
    view: PageView, drawn: Sequence[Spot], published: Sequence[Published] = ()
) -> tuple[float, float]:
    """The ends of the y axis: all means, and as much of the intervals as leaves means apart."""
    dense = view.report.dense
    means = [s.mean for s in drawn] + [row.test_acc1 for row in view.rows if row.test_acc1]
    means += [dense.mean] if dense.mean is not None else []
    means += [p.accuracy for p in published]
    span = max(max(means) - min(means), 0.01)
    ends = [e for s in drawn for e in (s.low, s.high) if e is not None]
    low = max(min([*means, *ends]), min(means) - span, 0.0)
    high = min(max([*means, *ends]), max(means) + span, 1.0)
    pad = max(0.06 * (high - low), 0.002)
    return low - pad, high + pad


def _has(drawn: Sequence[Spot], arm: str) -> bool:
    return any(spot.arm == arm for spot in drawn)


def _band(ordered: Sequence[Spot], at: Sequence[float], y: Scale, arm: int) -> Iterator[str]:
    """The area between the interval's ends, from budget to budget."""
    known = [
        (a, y(s.low), y(s.high))
        for a, s in zip(at, ordered, strict=True)
        if s.low is not None and s.high is not None
    ]
    if len(known) > 1:
        upper = [f"{a:.1f},{high:.1f}" for a, _, high in known]
        lower = [f"{a:.1f},{low:.1f}" for a, low, _ in reversed(known)]
        yield tag("path", d=f"M{'L'.join(upper + lower)}Z", class_=f"band {arm_class(arm)}")


def _whisker(spot: Spot, at: float, y: Scale, class_: str) -> Iterator[str]:
    """The interval; an end outside the picture has no bar."""
    if spot.low is None or spot.high is None:
        return
    yield segment(at, y(spot.low), at, y(spot.high), f"whisker {class_}")
    for end in (spot.low, spot.high):
        if y.low <= end <= y.high:
            yield segment(at - 4, y(end), at + 4, y(end), f"whisker {class_}")
