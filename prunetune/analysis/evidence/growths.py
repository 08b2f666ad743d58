"""How a sweep grew after it had begun, and whether results were known by then."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from prunetune.plan import Plan
from prunetune.records.record import Frozen, Record

EFFORT = ("confirm.seeds", "search.trials", "search.replicates")
"""Fields whose growth gives comparisons another chance, where results were known before."""


class Change(Frozen):
    """One field of the sweep file that grew."""

    at: str
    """When, as an ISO time."""
    field: str
    before: str
    after: str
    looked: bool
    """Whether a confirm trial had ended by then: whoever grew the sweep could know results."""


def changes(plan: Plan, records: Iterable[Record]) -> tuple[Change, ...]:
    """Every change of the sweep since it began, oldest first."""
    ends = [r.ended_at for r in records if r.phase == "confirm" and r.ended_at]
    first = min(ends, default=None)
    return tuple(
        Change(
            at=growth.at, field=field, before=before, after=after,
            looked=first is not None and _moment(first) <= _moment(growth.at),
        )
        for growth in plan.growth
        for field, before, after in map(_parts, growth.changes)
    )  # fmt: skip


def effort_after_a_look(grown: Iterable[Change]) -> tuple[Change, ...]:
    """The changes that added seeds, trials or searches although results were known."""
    return tuple(change for change in grown if change.looked and change.field in EFFORT)


def planned(plan: Plan, field: str, now: Any) -> Any:
    """The value that a field had when the sweep began; `now` if it never changed."""
    for growth in plan.growth:
        for name, before, _ in map(_parts, growth.changes):
            if name == field:
                return ast.literal_eval(before)
    return now


def _parts(change: str) -> tuple[str, str, str]:
    """Field, old value and new value of a line such as `confirm.seeds: 3 -> 5`."""
    field, _, values = change.partition(": ")
    before, _, after = values.partition(" -> ")
    return field, before, after


def _moment(written: str) -> datetime:
    moment = datetime.fromisoformat(written)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
