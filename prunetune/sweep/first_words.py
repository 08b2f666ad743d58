"""What a sweep says before its first trial: what it asks, what that costs, and where it goes."""

from __future__ import annotations

from collections.abc import Iterator

from prunetune.agenda import Agenda, Trials, counts, status_rows
from prunetune.analysis.format import count, listing, plural, rough_duration
from prunetune.config.budget import read_budget
from prunetune.config.file.model import SweepSpec
from prunetune.plan import Plan
from prunetune.records.store import Store
from prunetune.records.trial_outcome import TrialOutcome


def asked(spec: SweepSpec) -> Iterator[str]:
    """What the sweep file asks, as soon as it is read."""
    yield f"{spec.name}: {spec.question or 'no question is stated'}"
    budgets = [str(read_budget(budget)) for budget in spec.budgets]
    workload = f"{spec.workload.model.name} on {spec.workload.dataset.name}"
    yield (
        f"compares {listing(spec.arms)} at {plural(len(budgets), 'budget')} "
        f"({', '.join(budgets)}): {workload}"
    )


def announced(plan: Plan, store: Store, seconds: float | None) -> Iterator[str]:
    """What will run and what it costs, where it is kept, and how to stop it and go on.

    `seconds` is a rough time for all of it; None where nothing is known of the machines.
    """
    whole = counts(plan).total
    work = (
        f"{plural(whole.total, 'trial')}, {whole.epochs:,} epochs, {count(whole.train_macs)} "
        "training MACs"
    )
    if plan.early_stopping is not None:
        work += " if none is stopped early"
    if seconds is not None:
        work += f"; very roughly {rough_duration(seconds)} on this machine's CPU cores"
    yield f"work: {work}"
    tallies = [t for row in status_rows(_agenda(store, plan)) for t in row.phases.values()]
    if done := sum(tally.done for tally in tallies):
        owed = sum(tally.total - tally.closed for tally in tallies)
        yield f"goes on: {done} of {owed} trials are done"
    yield f"results: {store.root} (records, report, messages.log)"
    yield "stop: Ctrl-C; the same command goes on where it stopped, and no finished trial is lost"


def _agenda(store: Store, plan: Plan) -> Agenda[TrialOutcome]:
    return Agenda(plan, Trials(store.outcomes()))
