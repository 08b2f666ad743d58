"""Growth after a look: runs that were added because the first result did not please."""

from __future__ import annotations

from collections.abc import Iterator

from prunetune.analysis.audit.case import Case
from prunetune.analysis.audit.rule import Flaw, rule
from prunetune.analysis.evidence.growths import changes
from prunetune.analysis.format import listing

_HARMLESS = ("resources", "limits", "tracking")
"""Fields that decide where and when trials run, not which."""


@rule(
    "course",
    "warning",
    reason="Adding seeds until an arm wins makes identical arms differ in 15 % of sweeps instead "
    "of 5 % (simulated). Looks that the plan names beforehand are paid for.",
)
def growth_after_look(case: Case) -> Iterator[Flaw]:
    """Changes of the sweep after the first confirmed accuracy was known."""
    grown: dict[str, list[str]] = {}
    for change in changes(case.plan, case.records.values()):
        if change.looked and not change.field.startswith(_HARMLESS):
            text = f"{change.field}: {change.before} -> {change.after}"
            grown.setdefault(change.at, []).append(text)
    for at, texts in grown.items():
        yield Flaw(
            "warning",
            f"The sweep grew on {at[:10]}, after test accuracies were known: {listing(texts)}.",
            "Say so beside the verdict; plan looks beforehand with confirm.looks.",
        )
