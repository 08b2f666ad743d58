"""Comparisons of several sweeps side by side."""

from __future__ import annotations

from collections.abc import Mapping

from prunetune.analysis.forest import ForestRow, forest
from prunetune.analysis.report import Report, analyse
from tests.analysis.sweeps import make_plan, noisy, run

METHODS = {"thin": "width_scaling", "pruned": "channel_pruning", "other": "channel_pruning"}


def report(
    name: str, means: Mapping[str, float], budgets: tuple[float, ...] = (0.5, 0.25)
) -> Report:
    plan = make_plan({arm: METHODS[arm] for arm in means}, budgets)
    return analyse(plan.model_copy(update={"sweep": name}), run(plan, noisy(means)))


def test_a_pair_is_turned_the_same_way_in_all_sweeps() -> None:
    first = report("first", {"thin": 0.90, "pruned": 0.92})
    second = report("second", {"pruned": 0.92, "thin": 0.90})
    rows = forest([first, second])
    assert {(row.a, row.b) for row in rows} == {("thin", "pruned")}
    assert [(row.budget, row.sweep) for row in rows] == [
        (0.5, "first"), (0.5, "second"), (0.25, "first"), (0.25, "second"),
    ]  # fmt: skip
    for row in rows:
        assert row.low is not None
        assert row.high is not None
        assert row.low <= row.difference <= row.high < 0
        assert (row.verdict, row.winner) == ("wins", "pruned")
        assert row.rung.startswith("rung ")


def test_one_sweep_gives_its_own_pairs_and_frontiers() -> None:
    budgets = (0.6, 0.5, 0.4, 0.25)
    one = report("one", {"thin": 0.9, "pruned": 0.91, "other": 0.92}, budgets)
    rows = forest([one])
    at_budgets = [row for row in rows if row.budget is not None]
    assert len(at_budgets) == 3 * len(budgets)
    measured = [pair for verdict in one.verdicts for pair in verdict.pairs]
    differences = sorted(pair.difference or 0 for pair in measured)
    assert sorted(row.difference for row in at_budgets) == differences
    over_all = [row for row in rows if row.budget is None]
    assert [row.difference for row in over_all] == [f.area for f in one.frontiers]


def test_unmeasured_comparisons_and_no_sweeps_give_no_rows() -> None:
    plan = make_plan()
    assert forest([analyse(plan, {})]) == ()
    assert forest([]) == ()
    row: ForestRow = forest([report("x", {"thin": 0.9, "pruned": 0.92})])[0]
    assert ForestRow.model_validate(row.model_dump(mode="json")) == row
