"""Samplers: a search of fewer trials than its start-up is random."""

from __future__ import annotations

from collections.abc import Iterator

from prunetune.analysis.audit.case import Case
from prunetune.analysis.audit.rule import Flaw, rule
from prunetune.analysis.format import listing
from prunetune.config.samplers import Gp, Tpe, sampler_params


@rule(
    "search",
    "note",
    reason="TPE and the Gaussian process draw their first trials at random. A search that ends "
    "within them is a random search under another name.",
)
def all_trials_random(case: Case) -> Iterator[Flaw]:
    """Studies whose sampler never leaves its random start."""
    sampler = case.plan.sampler
    params = sampler_params(sampler)
    if not isinstance(params, Tpe | Gp):
        return
    random = [
        study.id
        for compared in case.compared
        for study in compared.searching()
        if study.trials > 1 and study.trials <= params.n_startup_trials
    ]
    if random:
        yield Flaw(
            "note",
            f"All trials of {listing(dict.fromkeys(random))} are random: {sampler.name} starts to "
            f"learn after {params.n_startup_trials} trials.",
            "Raise search.trials, or write sampler: random, so that the file says what happens.",
        )
