"""What a plan's settings lead to that nobody sees in the file: sentences for `prunetune plan`."""

from __future__ import annotations

from collections.abc import Iterator

from prunetune.agenda import counts
from prunetune.analysis.evidence.compared import searched_paths
from prunetune.analysis.format import count, listing
from prunetune.config.samplers import Gp, Tpe, sampler_params
from prunetune.config.search import FEWEST_TO_STOP
from prunetune.plan import Plan, Study


def protocol_notes(plan: Plan) -> tuple[str, ...]:
    """The notes on a plan, one sentence or two each."""
    searching = [study for study in plan.feasible() if searched_paths(study)]
    return (
        *_looks(plan),
        *_random(plan, searching),
        *_early_stopping(plan, searching),
        *_selection(plan, searching),
    )


def _looks(plan: Plan) -> Iterator[str]:
    if looks := plan.confirm.looks:
        least = counts(plan, looks[0]).total
        yield (
            f"Looks at {listing(map(str, looks))} confirm seeds: arms of open pairs alone get the "
            f"seeds of the next look. The table counts all {looks[-1]}; with {looks[0]} there are "
            f"{least.total:,} trials and {count(least.train_macs)} training MACs."
        )


def _random(plan: Plan, searching: list[Study]) -> Iterator[str]:
    params = sampler_params(plan.sampler)
    if isinstance(params, Tpe | Gp) and searching:
        most = max(study.trials for study in searching)
        if most <= params.n_startup_trials:
            yield (
                f"All search trials are random: {plan.sampler.name} starts to learn after "
                f"{params.n_startup_trials} trials, and no study has more than {most}."
            )


def _early_stopping(plan: Plan, searching: list[Study]) -> Iterator[str]:
    stopped = [study for study in searching if plan.stopping(study)]
    if plan.early_stopping is not None and searching and not stopped:
        yield (
            f"No trial is stopped early: early stopping is off in studies of fewer than "
            f"{FEWEST_TO_STOP} trials, whose ranks are mostly luck."
        )


def _selection(plan: Plan, searching: list[Study]) -> Iterator[str]:
    inheriting = dict.fromkeys(study.arm for study in searching if study.inherits)
    if plan.dense.source != "train" and plan.dense.val_seen is not False and inheriting:
        seen = "has seen" if plan.dense.val_seen else "may have seen (val_seen is not stated)"
        yield (
            f"The loaded dense network {seen} our validation images, by which the recipes of "
            f"{listing(inheriting)} are chosen: their validation accuracies are too high."
        )
