"""Search compute: equal trials of unequal networks are unequal effort."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from prunetune.analysis.audit.case import Case
from prunetune.analysis.audit.rule import Flaw, rule
from prunetune.analysis.evidence.point_costs import spent_by
from prunetune.analysis.format import count, listing

_MOST = 1.5
"""The ratio of search MACs from which effort counts as unequal."""


@rule(
    "arms",
    "warning",
    "note",
    reason="In a sweep of ours equal trials cost one arm 5.4e13 MACs and the other 1.1e13: with "
    "five times the compute the second arm could have searched five times as long.",
)
def unequal_search_compute(case: Case) -> Iterator[Flaw]:
    """Compared arms whose searches spent training MACs in a ratio of more than 1.5."""
    places, keys = [], []
    for compared in case.compared:
        searches = {s.arm: case.outcome(s).search for s in compared.searching()}
        spent = {arm: spent_by(records) for arm, records in searches.items()}
        if _unequal(list(spent.values())):
            amounts = ", ".join(f"{arm} {count(macs)}" for arm, macs in spent.items())
            places.append(f"{compared.name} ({amounts})")
            keys += [r.key for records in searches.values() for r in records]
    if places:
        changes, effect = _effect(case)
        yield Flaw(
            "note" if changes == [] else "warning",
            f"The searches spent different numbers of MACs at {listing(places)}.{effect}",
            "Read the second verdict, at equal search MACs, beside the first.",
            tuple(dict.fromkeys(keys)),
        )


def _effect(case: Case) -> tuple[list[str] | None, str]:
    """The verdicts that change at equal search MACs (None: not known), and a sentence on that."""
    for second in case.second_verdicts:
        if second.name == "equal search MACs":
            changes = list(second.changes)
            if changes:
                return changes, f" At equal search MACs {listing(changes)}."
            return changes, " At equal search MACs no verdict would be another one."
    return None, ""


def _unequal(spent: Sequence[int]) -> bool:
    """Whether the ratio of the largest to the smallest is too large; false before any is spent."""
    return len(spent) > 1 and min(spent) > 0 and max(spent) > _MOST * min(spent)
