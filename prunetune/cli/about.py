"""Facts about registered parts, one row for each part, and the rows as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from prunetune.registry import Entry, Registry

HEADINGS = {
    "name": "name",
    "summary": "what it is",
    "paper": "paper",
    "data": "looks at",
    "cost": "cost",
    "differs": "other than in torch-pruning, and why",
}
"""Fact -> heading of its column."""


def part_rows(registry: Registry[Any]) -> list[dict[str, str]]:
    """Name and summary of every part; a part with a paper adds paper, data, cost and differences.

    Parts with a paper are sorted by name, others stand in the order of registration.
    """
    facts = [_row(registry.get(name)) for name in registry.names()]
    return sorted(facts, key=lambda row: row["name"] if "paper" in row else "")


def columns(rows: Sequence[dict[str, str]]) -> list[str]:
    """The facts to show; parts with a paper show it in place of the summary."""
    stated = dict.fromkeys(fact for row in rows for fact in row)
    return [
        fact for fact in HEADINGS if fact in stated and (fact != "summary" or "paper" not in stated)
    ]


def markdown(rows: Sequence[dict[str, str]]) -> str:
    """The rows as a Markdown table."""
    facts = columns(rows)
    head = [[HEADINGS[fact] for fact in facts], ["---"] * len(facts)]
    lines = [[_cell(fact, row.get(fact, "")) for fact in facts] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in [*head, *lines])


def _row(entry: Entry[Any]) -> dict[str, str]:
    facts = {"name": entry.name, "summary": entry.summary}
    about = getattr(entry.part, "about", None)
    if about is not None:
        facts["paper"] = about.paper
        if needs := getattr(entry.part, "needs", None):
            facts["data"] = needs
        facts |= {"cost": about.cost, "differs": about.differs}
    return facts


def _cell(fact: str, text: str) -> str:
    return f"`{text}`" if fact == "name" else text.replace("|", r"\|")
