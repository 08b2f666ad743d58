"""The tables and lists of the page and the terminal, as text ready to be shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from prunetune.analysis.evidence.frontier import FrontierRow
from prunetune.analysis.page.figures.widths_plot import widths_svg
from prunetune.analysis.report import Report
from prunetune.analysis.verdicts.sentences import (
    NOTHING,
    contest_name,
    count,
    listing,
    percent,
    plural,
    points,
    state,
)
from prunetune.plan import Plan
from prunetune.records.architecture import Architecture
from prunetune.records.record import Record

DELTA = "\N{GREEK CAPITAL LETTER DELTA}"
COLUMNS = (
    "study", "MACs", "params", "test [95 % interval]", "seeds", f"{DELTA} dense", "median",
    "best epoch", "val of winner", "trials", "other ends", "epochs", "training MACs of one",
    "MACs spent", "state",
)  # fmt: skip


def setup(plan: Plan, report: Report) -> str:
    """The setting in a line."""
    dense = report.dense
    where = {"train": "trained here", "checkpoint": "from a checkpoint", "weights": "loaded"}
    accuracy = f", test {percent(dense.mean)} (n = {dense.n})" if dense.mean is not None else ""
    trials = {study.trials for study in plan.studies}
    searched = plural(max(trials), "trial")
    if len(trials) > 1:
        searched = f"{min(trials)} to {searched}"
    budgets = sum(budget is not None for budget in plan.budgets())
    return (
        f"{plan.sweep}: {dense.model}, {count(dense.macs)} MACs, {count(dense.params)} parameters, "
        f"{where[dense.source]}{accuracy}. {plan.train_size} training, {plan.val_size} validation "
        f"and {plan.test_size} test images. Arms {listing(plan.arms())} at "
        f"{plural(budgets, 'budget')}; {plural(plan.replicates, 'search')} of {searched} "
        f"({plan.sampler.name}) a study, winners confirmed on "
        f"{plural(plan.confirm.seeds, 'fresh seed')}."
    )


def unfinished(report: Report) -> str:
    """How many studies are not done, by state; empty when all are."""
    open_states = ("not begun", "searching", "confirming")
    states = Counter(row.state for row in report.frontier if row.state in open_states)
    return ", ".join(f"{plural(number, 'study')} {state}" for state, number in states.items())


def by_budget(plan: Plan, report: Report) -> list[FrontierRow]:
    """The studies, those that compete beside each other."""
    budgets = plan.budgets()
    return sorted(report.frontier, key=lambda row: budgets.index(row.budget))


def table(plan: Plan, report: Report) -> list[tuple[str, str, list[str]]]:
    """(arm, study, cells under COLUMNS) for every study."""
    return [(row.arm, row.study, _cells(row)) for row in by_budget(plan, report)]


def _cells(row: FrontierRow) -> list[str]:
    known = row.low is not None and row.high is not None
    ends = f" [{_bare(row.low)}, {_bare(row.high)}]" if known else ""
    others = {name: getattr(row, name) for name in ("stopped", "diverged", "failed", "infeasible")}
    return [
        count(row.macs), count(row.params), _bare(row.test_acc1) + ends,
        f"{row.n}/{row.confirm_planned}", points(row.delta_acc1), _bare(row.test_acc1_median),
        _bare(row.test_acc1_best), _bare(row.val_acc1), f"{row.trials_ended}/{row.trials_planned}",
        ", ".join(f"{number} {name}" for name, number in others.items() if number) or NOTHING,
        str(row.epochs), count(row.train_macs), count(row.spent_macs), state(row),
    ]  # fmt: skip


def recipes(
    plan: Plan, records: Mapping[str, Record], report: Report
) -> list[tuple[str, list[str], list[tuple[str, list[str]]]]]:
    """(arm, its studies, (searched path, its value in each)) for every arm with a winner."""
    found = []
    for arm in plan.arms():
        won = [(r, records[r.winner]) for r in report.frontier if r.arm == arm and r.winner]
        chosen = [plan.study(row.study).space.searched(best.config) for row, best in won]
        paths = dict.fromkeys(path for config in chosen for path in config)
        lines = [(path, [_value(config.get(path)) for config in chosen]) for path in paths]
        if won:
            found.append((arm, [row.study.removeprefix(arm) for row, _ in won], lines))
    return found


def constants(plan: Plan, records: Mapping[str, Record], report: Report) -> list[tuple[str, str]]:
    """What every winner's config has in common and no study searched."""
    won = [records[row.winner].config for row in report.frontier if row.winner]
    searched = {d.path for s in plan.studies for d in s.space.dimensions if d.searched}
    return [
        (path, _value(value))
        for path, value in (sorted(won[0].items()) if won else ())
        if path not in searched and all(config.get(path) == value for config in won)
    ]


def widths(plan: Plan, records: Mapping[str, Record], report: Report) -> list[tuple[str, str]]:
    """(caption, drawing) for every winner whose architecture is known."""
    dense = Architecture.model_validate(plan.dense.architecture)
    found = []
    for row in by_budget(plan, report):
        compact = records[row.winner].architecture if row.winner else None
        if compact is not None:
            drawn = widths_svg(compact, dense, plan.arms().index(row.arm), row.study)
            if drawn:
                found.append((f"{row.study} · {count(records[row.winner or ''].macs)} MACs", drawn))
    return found


def costs(report: Report) -> list[tuple[str, list[list[str]]]]:
    """(heading, lines of name, trials, MACs, share, hours) by arm and by phase."""
    book = report.ledger
    parts = (
        ("arm", book.trials_by_arm, book.by_arm, book.seconds_by_arm),
        ("phase", book.trials_by_phase, book.by_phase, book.seconds_by_phase),
    )
    return [
        (name, [_cost(key, trials[key], macs[key], seconds[key], book.spent_macs) for key in macs])
        for name, trials, macs, seconds in parts
    ]


def total(report: Report) -> list[str]:
    """The last line of the costs, without its name."""
    book = report.ledger
    trials, macs = sum(book.trials_by_arm.values()), book.spent_macs
    return _cost("", trials, macs, book.spent_s, macs)[1:]


def failures(records: Mapping[str, Record]) -> list[tuple[str, str, str, int, str]]:
    """(study, phase, status, number of trials, error) of what neither completed nor was stopped."""
    ends = Counter(
        (r.study or "dense network", r.phase, r.status, (r.error or "").partition("\n")[0])
        for r in records.values()
        if r.status not in ("completed", "stopped")
    )
    return [(*end[:3], ends[end], end[3]) for end in sorted(ends)]


def not_run(plan: Plan, report: Report) -> Iterator[str]:
    """What a reader may miss, and why it is not there."""
    for row in report.frontier:
        if row.reason and row.state != "confirmed":
            yield f"{row.study}: {row.state}; {row.reason}."
    yield from dict.fromkeys(_losses(report))
    if plan.early_stopping is None:
        yield "No early stopping: every search trial ran its planned epochs."
    yield "Latency is not part of this report; fewer MACs need not be faster."
    yield "Intervals over new test images (seeds crossed with images) are not computed here."


def _losses(report: Report) -> Iterator[str]:
    for verdict in report.verdicts:
        for name, arm in verdict.arms.items():
            for loss in () if arm.infeasible else arm.lost:
                where = f"{name} at {contest_name(verdict.budget, verdict.matching)}"
                kept = " (kept in the mean)" if loss.status == "collapsed" else ""
                why = loss.error or "no reason given"
                yield f"{where}, confirm seed {loss.seed}: {loss.status}{kept}; {why}."


def _cost(name: str, trials: int, macs: int, seconds: float, all_macs: int) -> list[str]:
    share = f"{macs / all_macs:.1%}" if all_macs else NOTHING
    return [name, str(trials), count(macs), share, f"{seconds / 3600:.2f}"]


def _bare(accuracy: float | None) -> str:
    return percent(accuracy).removesuffix(" %")


def _value(value: Any) -> str:
    if value is None:
        return NOTHING
    return f"{value:.4g}" if isinstance(value, float) else str(value)
