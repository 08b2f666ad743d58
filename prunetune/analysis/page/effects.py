"""The comparisons of two arms in several sweeps, for the forest plot."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from prunetune.analysis.format import plural
from prunetune.analysis.page.figures.forest_plot import Effect
from prunetune.analysis.page.view import PageView, budget_name
from prunetune.analysis.verdicts.arm_pairs import Pair
from prunetune.analysis.verdicts.frontiers import FrontierVerdict
from prunetune.analysis.verdicts.labels import judged_label


def shared_pairs(views: Sequence[PageView]) -> list[tuple[str, str]]:
    """The pairs of arms that two sweeps or more compare; without such, every pair."""
    seen: dict[frozenset[str], tuple[str, str]] = {}
    sweeps: dict[frozenset[str], set[int]] = {}
    for i, view in enumerate(views):
        for pair in _measured(view):
            seen.setdefault(frozenset((pair.a, pair.b)), (pair.a, pair.b))
            sweeps.setdefault(frozenset((pair.a, pair.b)), set()).add(i)
    shared = [seen[key] for key in seen if len(sweeps[key]) > 1]
    return shared or list(seen.values())


def effects_of(views: Sequence[PageView], a: str, b: str) -> list[Effect]:
    """Every comparison of the two arms, sweep by sweep: over all budgets first."""
    names = sweep_labels(views)
    named = zip(views, names, strict=True)
    return [effect for view, name in named for effect in _of(view, name, a, b)]


def sweep_labels(views: Sequence[PageView]) -> list[str]:
    """The names of the sweeps; equal names are numbered."""
    names = [view.report.sweep for view in views]
    return [
        name if names.count(name) == 1 else f"{name} ({names[: i + 1].count(name)})"
        for i, name in enumerate(names)
    ]


def _measured(view: PageView) -> Iterator[Pair | FrontierVerdict]:
    yield from (frontier for frontier in view.report.frontiers if frontier.area is not None)
    for verdict in view.report.verdicts:
        yield from (pair for pair in verdict.pairs if pair.difference is not None)


def _of(view: PageView, sweep: str, a: str, b: str) -> Iterator[Effect]:
    several = len(view.plan.matchings()) > 1
    for frontier in view.report.frontiers:
        if {frontier.a, frontier.b} == {a, b} and frontier.area is not None:
            label = f"over {plural(len(frontier.budgets), 'budget')}"
            label += f", {frontier.matching}" if several and frontier.matching else ""
            yield _effect(view, sweep, label, frontier, frontier.area, a)
    for verdict in view.report.verdicts:
        for pair in verdict.pairs:
            if {pair.a, pair.b} == {a, b} and pair.difference is not None:
                label = f"at {budget_name(verdict.budget)}"
                label += f", {verdict.matching}" if several and verdict.matching else ""
                yield _effect(view, sweep, label, pair, pair.difference, a)


def _effect(
    view: PageView, sweep: str, label: str, found: Pair | FrontierVerdict, value: float, a: str
) -> Effect:
    """The comparison as a minus b, in whichever order the sweep has them."""
    sign = 1.0 if found.a == a else -1.0
    low, high = found.low, found.high
    if sign < 0:
        low, high = (None if e is None else -e for e in (found.high, found.low))
    winner = found.winner
    return Effect(
        sweep,
        label,
        isinstance(found, FrontierVerdict),
        sign * value,
        low,
        high,
        found.p,
        view.arm(winner) if winner else None,
        view.arm(found.a if value > 0 else found.b),
        judged_label(found),
    )
