"""A finding: one thing that is wrong with a comparison, and what to do about it."""

from __future__ import annotations

from typing import Literal

from prunetune.records.record import Frozen

Severity = Literal["error", "warning", "note"]
"""error: the comparison cannot be published as it is. warning: a claim needs a reservation, or more
runs. note: a fact that a reader must know."""
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
"""All severities, the gravest first."""


class Finding(Frozen):
    """One breach of one rule."""

    rule: str
    severity: Severity
    message: str
    """What is the case, with figures."""
    advice: str
    """What to do about it."""
    records: tuple[str, ...] = ()
    """Keys of the records that it rests on; empty if it rests on the plan alone."""
