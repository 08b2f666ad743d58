"""What all parts of the page look at: the sweep, its report, and how numbers are written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from prunetune.analysis.evidence.frontier import FrontierRow
from prunetune.analysis.evidence.point_costs import PointCost
from prunetune.analysis.format import NOTHING, count
from prunetune.analysis.report import Report
from prunetune.config.budget import RecordedBudget, budget_words
from prunetune.plan import Plan
from prunetune.records.record import Record

_MANY_IMAGES = 2000
"""A test set of so many images or more resolves a tenth of a point and is given two decimals."""


@dataclass(frozen=True)
class PageView:
    """A sweep as the page shows it."""

    plan: Plan
    records: Mapping[str, Record]
    report: Report
    palette: tuple[str, ...] = ()
    """Arms of several sweeps, if this one stands among others; () for its own arms."""
    base: str = ""
    """The page that holds this sweep's points, if it is another page."""

    @cached_property
    def arms(self) -> tuple[str, ...]:
        """Every arm, in the order of the file; the place of an arm decides its colour."""
        return self.palette or self.plan.arms()

    @cached_property
    def rows(self) -> list[FrontierRow]:
        """The studies, ordered so that those that compete stand together."""
        budgets = self.plan.budgets()
        return sorted(self.report.frontier, key=lambda row: budgets.index(row.budget))

    @cached_property
    def anchors(self) -> dict[str, str]:
        """Study -> the id of its entry under "How to reproduce each point"."""
        return {row.study: f"point-{i}" for i, row in enumerate(self.rows)}

    @cached_property
    def confirms(self) -> dict[str | None, list[Record]]:
        """Study -> its confirm records, by seed."""
        groups: dict[str | None, list[Record]] = {}
        for record in sorted(self.records.values(), key=lambda r: (r.seed, r.key)):
            if record.phase == "confirm":
                groups.setdefault(record.study, []).append(record)
        return groups

    @cached_property
    def searches(self) -> list[Record]:
        """Every search trial, by number."""
        found = [r for r in self.records.values() if r.phase == "search"]
        return sorted(found, key=lambda r: (r.number or 0, r.key))

    @cached_property
    def point_costs(self) -> dict[str, PointCost]:
        """Study -> what it and one network of it cost."""
        return {point.study: point for point in self.report.ledger.points}

    def rung(self, matching: str | None = None) -> tuple[str, ...]:
        """The lines that every figure carries: the rung of one matching, or those of all."""
        found = [rung for rung in self.report.rungs if matching in (None, rung.matching)]
        if len(found) < 2:
            return tuple(rung.label for rung in found)
        return tuple(f"{rung.matching}: {rung.label}" for rung in found)

    def link(self, study: str) -> str:
        """The address of a study's entry under "How to reproduce each point"."""
        return f"{self.base}#{self.anchors[study]}"

    @property
    def digits(self) -> int:
        """Decimals of an accuracy in percent: the test set resolves no more."""
        return 2 if self.plan.test_size >= _MANY_IMAGES else 1

    def arm(self, name: str) -> int:
        """The number of an arm."""
        return self.arms.index(name)

    def percent(self, accuracy: float | None) -> str:
        """An accuracy in percent without its unit: `93.12`, or `93.1` on a small test set."""
        return NOTHING if accuracy is None else f"{100 * accuracy:.{self.digits}f}"

    def points(self, difference: float | None) -> str:
        """A difference in percentage points, signed: `+0.62`."""
        if difference is None:
            return NOTHING
        return f"{100 * difference:+.{self.digits}f}".replace("-", "\N{MINUS SIGN}")

    def measured(self, row: FrontierRow) -> str:
        """A study's accuracy with its interval: `93.12 % [92.90, 93.34], n = 5`."""
        known = row.low is not None and row.high is not None
        interval = f" [{self.percent(row.low)}, {self.percent(row.high)}]" if known else ""
        return f"{self.percent(row.test_acc1)} %{interval}, n = {row.n}"

    def share(self, macs: float | None) -> str:
        """MACs with their share of the dense network's: `31.3 M MACs (25 % of the dense)`."""
        if macs is None:
            return NOTHING
        return f"{count(macs)} MACs ({100 * macs / self.plan.dense.macs:.3g} % of the dense)"


def budget_name(budget: RecordedBudget) -> str:
    """A budget in a word or two: `25 %` of the dense MACs, `90 % sparsity`, `no budget`."""
    return budget_words(budget).removesuffix(" of the dense MACs")
