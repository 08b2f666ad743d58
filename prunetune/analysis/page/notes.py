"""The sentences around the tables: the setting, what is unfinished, what is missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from prunetune.analysis.format import count, listing, percent, plural
from prunetune.analysis.report import Report
from prunetune.analysis.verdicts.sentences import contest_name
from prunetune.plan import Plan


def setting(plan: Plan, report: Report) -> str:
    """Workload, arms, budgets and search effort in one paragraph."""
    dense = report.dense
    origin = {"train": "trained here", "checkpoint": "from a checkpoint", "weights": "loaded"}
    accuracy = f", test {percent(dense.mean)} (n = {dense.n})" if dense.mean is not None else ""
    trials = {study.trials for study in plan.studies}
    searched = plural(max(trials), "trial")
    if len(trials) > 1:
        searched = f"{min(trials)} to {searched}"
    budgets = sum(budget is not None for budget in plan.budgets())
    return (
        f"{plan.sweep}: {dense.model}, {count(dense.macs)} MACs, {count(dense.params)} parameters, "
        f"{origin[dense.source]}{accuracy}. {plan.train_size} training, {plan.val_size} validation "
        f"and {plan.test_size} test images. Arms {listing(plan.arms())} at "
        f"{plural(budgets, 'budget')}; {plural(plan.replicates, 'search')} of {searched} "
        f"({plan.sampler.name}) per study; winners confirmed on "
        f"{plural(plan.confirm.seeds, 'fresh seed')}."
    )


def unfinished(report: Report) -> str:
    """How many studies are not finished, by state; empty if all are."""
    open_states = ("not begun", "searching", "confirming")
    states = Counter(row.state for row in report.frontier if row.state in open_states)
    return ", ".join(f"{plural(number, 'study')} {state}" for state, number in states.items())


def omissions(plan: Plan, report: Report) -> Iterator[str]:
    """One sentence for everything that a reader may miss, with the reason."""
    for row in report.frontier:
        if row.reason and row.state != "confirmed":
            yield f"{row.study}: {row.state}; {row.reason}."
    yield from dict.fromkeys(_losses(report))
    if plan.early_stopping is None:
        yield "No early stopping: every search trial ran its planned epochs."
    yield "Latency is not part of this report; a network with fewer MACs need not be faster."


def _losses(report: Report) -> Iterator[str]:
    for verdict in report.verdicts:
        for name, arm in verdict.arms.items():
            for loss in () if arm.infeasible else arm.lost:
                contest = contest_name(verdict.budget, verdict.matching)
                kept = " (kept in the mean)" if loss.status == "collapsed" else ""
                reason = loss.error or "no reason given"
                yield (
                    f"{name} at {contest}, confirm seed {loss.seed}: {loss.status}{kept}; {reason}."
                )
