"""Growth after a look: runs that were added because the first result did not please."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from prunetune.analysis.audit.case import Case
from prunetune.analysis.audit.rule import Flaw, rule
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
    ends = [r.ended_at for r in case.records.values() if r.phase == "confirm" and r.ended_at]
    if not ends:
        return
    first_look = min(map(datetime.fromisoformat, ends))
    for growth in case.plan.growth:
        changes = [c for c in growth.changes if not c.startswith(_HARMLESS)]
        if changes and datetime.fromisoformat(growth.at) > first_look:
            yield Flaw(
                "warning",
                f"The sweep grew on {growth.at[:10]}, after test accuracies were known: "
                f"{listing(changes)}.",
                "Say so beside the verdict; plan looks beforehand with confirm.looks.",
            )
