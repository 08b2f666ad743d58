"""Epochs: a network that sees the images more often has more training, unless MACs are matched."""

from __future__ import annotations

from collections.abc import Hashable, Iterator

from prunetune.analysis.audit.case import Case, by_text
from prunetune.analysis.audit.matched import counts_dense, unmatched
from prunetune.analysis.audit.rule import Flaw, rule
from prunetune.analysis.evidence.compared import Compared
from prunetune.analysis.evidence.training_cost import epochs_in_all
from prunetune.analysis.format import listing


@rule(
    "arms",
    "warning",
    reason="Fewer epochs handicap the network trained from scratch; that is the weak baseline of "
    "1810.05270. Unequal epochs are fair only where they make the training MACs equal.",
)
def unequal_epochs(case: Case) -> Iterator[Flaw]:
    """Compared networks that train for different numbers of epochs, without equal MACs either."""
    differences = ((compared.name, _epochs(case, compared)) for compared in unmatched(case))
    unequal = ((name, values) for name, values in differences if len(set(values.values())) > 1)
    for text, places in by_text(unequal).items():
        yield Flaw(
            "warning",
            f"Networks train for different numbers of epochs ({text}) at {listing(places)}, and "
            "their training MACs differ as well.",
            "Add scratch_b to training.match: it makes the training MACs equal.",
        )


def _epochs(case: Case, compared: Compared) -> dict[str, Hashable]:
    dense = counts_dense(compared)
    return {s.arm: epochs_in_all(case.plan, s, with_dense=dense) for s in compared.studies}
