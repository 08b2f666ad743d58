"""The test set: it wears out with every look that somebody acts upon."""

from __future__ import annotations

from collections.abc import Iterator

from prunetune.analysis.audit.case import Case
from prunetune.analysis.audit.rule import Flaw, rule
from prunetune.analysis.format import listing, plural


@rule(
    "data",
    "warning",
    reason="Each known test accuracy can influence the next sweep's question, so the same test "
    "images lose their value over several sweeps, however carefully each of them reads them.",
)
def test_read_again(case: Case) -> Iterator[Flaw]:
    """Other sweeps in the storage that evaluated networks on the same test images."""
    others = {sweep.sweep: sweep.tested for sweep in case.other_sweeps if sweep.tested}
    if others:
        here = sum(record.test_acc1 is not None for record in case.records.values())
        texts = listing(f"{name} {number}" for name, number in others.items())
        yield Flaw(
            "warning",
            f"Together with this sweep ({plural(here, 'network')}), "
            f"{here + sum(others.values())} networks of this storage were evaluated on the same "
            f"test images; by other sweeps: {texts}.",
            "State the number. For a decisive claim, use test images that no sweep has seen.",
        )
