"""Tables of the page: cells say what the report says."""

from __future__ import annotations

import re

from prunetune.analysis import analyse
from prunetune.analysis.evidence.beyond_top1 import BeyondTop1
from prunetune.analysis.evidence.break_evens import BudgetBreakEven, TrainedLength
from prunetune.analysis.page.beyond_table import beyond_lines
from prunetune.analysis.page.break_even_table import break_even_lines
from prunetune.analysis.page.html import page
from prunetune.analysis.page.prices import PRICES, cost_lines
from prunetune.analysis.page.view import PageView
from prunetune.analysis.report import Report
from prunetune.statistics.breakeven import BreakEven
from prunetune.statistics.intervals import Estimate
from tests.analysis.sweeps import make_plan, noisy, run

PLAN = make_plan({"thin": "width_scaling", "pruned": "channel_pruning"}, (0.5, 0.25))
RECORDS = run(PLAN, noisy({"thin": 0.93, "pruned": 0.936}))
REPORT = analyse(PLAN, RECORDS)


def shown(report: Report) -> tuple[PageView, str]:
    return PageView(PLAN, RECORDS, report), page(PLAN, RECORDS, report).decode()


def test_beyond_top1_has_a_row_per_study_and_a_table_of_classes() -> None:
    exact = Estimate(mean=0.25, n=1)
    rough = Estimate(mean=0.031, low=-0.01, high=0.072, n=3)
    found = (
        BeyondTop1(study="dense", networks=1, nll=exact, calibration_error=exact),
        BeyondTop1(
            study="thin@0.5 scratch_b", networks=3, nll=rough, calibration_error=rough,
            disagreement=rough, classes=(rough, exact),
        ),
    )  # fmt: skip
    view, content = shown(REPORT.model_copy(update={"beyond_top1": found}))
    dense, thin = beyond_lines(view)
    assert (dense.study, dense.arm, dense.nll, dense.disagreement) == (
        "dense network", "", "0.250", "\N{EN DASH}",
    )  # fmt: skip
    assert (thin.arm, thin.nll) == ("thin", "0.031 [0.000, 0.072]")
    assert thin.classes == ("3.1 [0.0, 7.2]", "25.0")
    assert content.count("3.1 [0.0, 7.2]") == 2
    assert 'id="beyond"' in content
    assert 'id="beyond"' not in shown(REPORT)[1]


def test_a_break_even_states_its_interval_and_whether_it_is_extrapolated() -> None:
    lengths = tuple(TrainedLength(matching=m, macs=1e12, acc1=0.9, n=3) for m in "abc")
    about = {"budget": 0.5, "scratch": "thin", "inherits": "pruned", "free_dense": 0.125}
    factor = BreakEven(factor=1.5, low=0.75, high=None, slope=0.01, extrapolated=True)
    found = (
        BudgetBreakEven(**about, lengths=lengths, inherits_acc1=0.93, factor=factor),
        BudgetBreakEven(**about, lengths=lengths, inherits_acc1=0.93),
    )
    view, content = shown(REPORT.model_copy(update={"break_evens": found}))
    first, second = break_even_lines(view)
    assert first.factor == "1.50 [0.75, no limit], beyond the lengths trained"
    assert second.factor.startswith("none")
    assert (first.budget, first.goal) == ("50 %", "93.00 %")
    assert first.factor in content


def test_each_study_has_a_price_for_every_way_to_charge_the_dense_network() -> None:
    view, content = shown(REPORT)
    lines = cost_lines(view)
    assert [line.study for line in lines] == [row.study for row in view.rows]
    for line in lines:
        assert [name for name, _ in line.prices] == [price.name for price in PRICES]
        inherits = line.arm == "pruned"
        assert (len({cell for _, cell in line.prices}) > 1) == inherits
    cells = re.findall(r'<td data-when="price=free">([^<]+)</td>', content)
    assert cells == [dict(line.prices)["free"] for line in lines]
