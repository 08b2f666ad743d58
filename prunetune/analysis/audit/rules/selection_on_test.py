"""Selection: test images must not choose anything."""

from __future__ import annotations

from collections.abc import Iterator

from prunetune.analysis.audit.case import Case
from prunetune.analysis.audit.rule import Flaw, rule
from prunetune.analysis.format import plural

_SELECTING = ("search", "rescore")


@rule(
    "data",
    "error",
    reason="A choice made on the test set makes its accuracy a maximum, not a measurement. "
    "Several public pruning codes choose their epoch that way.",
)
def selection_on_test(case: Case) -> Iterator[Flaw]:
    """Trials that select a recipe and were evaluated on the test set, or no validation images."""
    tested = [r for r in case.records.values() if r.phase in _SELECTING and r.test_acc1 is not None]
    if tested:
        yield Flaw(
            "error",
            f"The test set was read in {plural(len(tested), 'trial')} of the search.",
            "Search again with these trials removed; only confirmed networks may read it.",
            tuple(sorted(r.key for r in tested)),
        )
    if not case.plan.val_size and any(compared.searching() for compared in case.compared):
        yield Flaw(
            "error",
            "The data set keeps no validation images, so nothing can choose a recipe fairly.",
            "Set val_fraction of the data set to a share of the training images, such as 0.1.",
        )
