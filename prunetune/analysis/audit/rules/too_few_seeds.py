"""Seeds: how many independent results stand behind a mean."""

from __future__ import annotations

from collections.abc import Iterator

from prunetune.analysis.audit.case import Case
from prunetune.analysis.audit.rule import Flaw, rule
from prunetune.analysis.format import plural

LEAST_RESULTS = 3
"""Independent results that an interval needs at the least."""


@rule(
    "amount",
    "error",
    reason="With two results a 95 % interval is 12.7 standard errors wide on each side, with one "
    "there is none; recent studies ask for three seeds at least (2209.14624, 2301.05219).",
)
def too_few_seeds(case: Case) -> Iterator[Flaw]:
    """Fewer than three independent results an arm: searches, or seeds where there is one search."""
    plan = case.plan
    if plan.n_independent < LEAST_RESULTS:
        several = plan.replicates > 1
        noun, field = ("search", "search.replicates") if several else ("seed", "confirm.seeds")
        yield Flaw(
            "error",
            f"Each arm is measured on {plural(plan.n_independent, noun)} only.",
            f"Raise {field} to {LEAST_RESULTS} or more; finished trials are kept.",
        )
