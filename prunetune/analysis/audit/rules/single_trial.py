"""One trial: the space that the file states is not searched."""

from __future__ import annotations

from collections.abc import Iterator

from prunetune.analysis.audit.case import Case
from prunetune.analysis.audit.rule import Flaw, rule
from prunetune.analysis.format import listing


@rule(
    "amount",
    "warning",
    reason="The first trial of a search is a random point of its space (or the recipe under "
    "`first`). A verdict is then about a draw, not about a tuned arm.",
)
def single_trial(case: Case) -> Iterator[Flaw]:
    """Studies that search a space with a single trial and no configuration under `first`."""
    single = [
        study.id
        for compared in case.compared
        for study in compared.searching()
        if study.trials == 1 and not study.first
    ]
    if single:
        yield Flaw(
            "warning",
            f"One random configuration stands for {listing(dict.fromkeys(single))}.",
            "Raise search.trials, or name the configuration under arms.ARM.first.",
        )
