"""What parts say about themselves: one row of facts each, and these as Markdown."""

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
"""Of columns, by fact."""


def rows(registry: Registry[Any]) -> list[dict[str, str]]:
    """Name and summary of every part; of those that state it, source, data, cost, differences.

    Those that state their source are in the order of the alphabet, others as they are registered.
    """
    found = [_row(registry.get(name)) for name in registry.names()]
    return sorted(found, key=lambda row: row["name"] if "paper" in row else "")


def columns(found: Sequence[dict[str, str]]) -> list[str]:
    """The facts to show: the summary gives way to where a part comes from, if it says so."""
    shown = dict.fromkeys(fact for row in found for fact in row)
    return [
        fact for fact in HEADINGS if fact in shown and (fact != "summary" or "paper" not in shown)
    ]


def markdown(found: Sequence[dict[str, str]]) -> str:
    """The rows as a Markdown table."""
    facts = columns(found)
    head = [[HEADINGS[fact] for fact in facts], ["---"] * len(facts)]
    lines = [[_cell(fact, row.get(fact, "")) for fact in facts] for row in found]
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
