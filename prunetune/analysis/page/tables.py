"""The tables of the page, every cell as text: studies, recipes, costs, failures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from prunetune.analysis.evidence.frontier import FrontierRow
from prunetune.analysis.format import NOTHING, count
from prunetune.analysis.page.points import written
from prunetune.analysis.page.view import PageView
from prunetune.analysis.report import Report
from prunetune.analysis.verdicts.sentences import state
from prunetune.records.record import Record

DELTA = "\N{GREEK CAPITAL LETTER DELTA}"
STUDY_COLUMNS = (
    "study", "MACs", "params", "test [95 % interval]", "seeds", f"{DELTA} dense", "median",
    "best epoch", "val of winner", "trials", "other ends", "epochs", "training MACs of one",
    "MACs spent", "state",
)  # fmt: skip


def study_table(view: PageView) -> list[tuple[str, str, list[str]]]:
    """(arm, study, cells under the other STUDY_COLUMNS) for every study."""
    return [(row.arm, row.study, _cells(view, row)) for row in view.rows]


def _cells(view: PageView, row: FrontierRow) -> list[str]:
    has_interval = row.low is not None and row.high is not None
    interval = f" [{view.percent(row.low)}, {view.percent(row.high)}]" if has_interval else ""
    others = {name: getattr(row, name) for name in ("stopped", "diverged", "failed", "infeasible")}
    return [
        count(row.macs),
        count(row.params),
        view.percent(row.test_acc1) + interval,
        f"{row.n}/{row.confirm_planned}",
        view.points(row.delta_acc1),
        view.percent(row.test_acc1_median),
        view.percent(row.test_acc1_best),
        view.percent(row.val_acc1),
        f"{row.trials_ended}/{row.trials_planned}",
        ", ".join(f"{number} {name}" for name, number in others.items() if number) or NOTHING,
        str(row.epochs),
        count(row.train_macs),
        count(row.spent_macs),
        state(row),
    ]


def recipes(
    view: PageView,
) -> list[tuple[str, list[str], list[tuple[str, list[str]]]]]:
    """(arm, its studies, (searched path, its value in each)) for every arm with a winner."""
    tables = []
    plan, records = view.plan, view.records
    for arm in view.arms:
        rows = [row for row in view.report.frontier if row.arm == arm and row.winner]
        configs = [
            plan.study(row.study).space.searched(records[row.winner or ""].config) for row in rows
        ]
        paths = dict.fromkeys(path for config in configs for path in config)
        lines = [(path, [written(config.get(path)) for config in configs]) for path in paths]
        if rows:
            tables.append((arm, [row.study.removeprefix(arm) for row in rows], lines))
    return tables


def constants(view: PageView) -> list[tuple[str, str]]:
    """(path, value) of everything that is the same in all winners and that no study searched."""
    configs = [view.records[row.winner].config for row in view.rows if row.winner]
    searched = {d.path for s in view.plan.studies for d in s.space.dimensions if d.searched}
    return [
        (path, written(value))
        for path, value in (sorted(configs[0].items()) if configs else ())
        if path not in searched and all(config.get(path) == value for config in configs)
    ]


def costs(report: Report) -> list[tuple[str, list[list[str]]]]:
    """(heading, lines of name, trials, MACs, share, hours) by arm and by phase."""
    ledger = report.ledger
    tables = (
        ("arm", ledger.trials_by_arm, ledger.by_arm, ledger.seconds_by_arm),
        ("phase", ledger.trials_by_phase, ledger.by_phase, ledger.seconds_by_phase),
    )
    return [
        (heading, [_cost(k, trials[k], macs[k], seconds[k], ledger.spent_macs) for k in macs])
        for heading, trials, macs, seconds in tables
    ]


def total(report: Report) -> list[str]:
    """The last line of the costs, without its name."""
    ledger = report.ledger
    trials, macs = sum(ledger.trials_by_arm.values()), ledger.spent_macs
    return _cost("", trials, macs, ledger.spent_s, macs)[1:]


def failures(records: Mapping[str, Record]) -> list[tuple[str, str, str, int, str]]:
    """(study, phase, status, number of trials, error) of trials that failed, diverged or missed
    their budget."""
    ends = Counter(
        (r.study or "dense network", r.phase, r.status, (r.error or "").partition("\n")[0])
        for r in records.values()
        if r.status not in ("completed", "stopped")
    )
    return [(*end[:3], ends[end], end[3]) for end in sorted(ends)]


def _cost(name: str, trials: int, macs: int, seconds: float, all_macs: int) -> list[str]:
    share = f"{100 * macs / all_macs:.1f} %" if all_macs else NOTHING
    return [name, str(trials), count(macs), share, f"{seconds / 3600:.2f}"]
