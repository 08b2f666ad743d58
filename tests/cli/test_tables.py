"""Tables of studies fit a terminal of 80 columns, and say what the forecast or the state says."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table

from prunetune.cli.tables import forecast_table, status_table
from prunetune.records.store import Store
from prunetune.sweep import plan_sweep
from prunetune.sweep.forecast import forecast
from prunetune.sweep.status import status_of

ROOT = Path(__file__).parents[2]
SWEEPS = ("quickstart", "resnet20_cpu", "breakeven_resnet20", "resnet56")
RUNS = sorted(path.parent for path in (ROOT / "experiments").glob("*/plan.json"))


def lines(table: Table) -> list[list[str]]:
    """The cells of each line of the table in a terminal of 80 columns."""
    console = Console(file=io.StringIO(), width=80, force_terminal=False)
    console.print(table)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert max(map(len, text.splitlines())) <= 80
    return [[cell for cell in line.split("  ") if cell] for line in text.splitlines()]


@pytest.mark.parametrize("name", SWEEPS)
def test_a_plan_has_a_line_for_each_study_with_its_whole_name(name: str, tmp_path: Path) -> None:
    found = forecast(plan_sweep(name), tmp_path)
    shown = {cells[0].strip(): cells for cells in lines(forecast_table(found)) if cells}
    for row in found.rows:
        numbers = [int(number) for number in shown[row.study][2].split(" + ")]
        assert numbers == [n for n in row.trials.values() if n]
        assert shown[row.study][1].strip() == f"{row.target_macs:,}"


@pytest.mark.parametrize("folder", RUNS, ids=lambda folder: folder.name)
def test_a_state_has_a_line_for_each_study_with_its_whole_name(folder: Path) -> None:
    store = Store.of_folder(folder)
    assert store is not None
    state = status_of(store)
    shown = {cells[0].strip(): cells for cells in lines(status_table(state)) if cells}
    for study in state.studies:
        done, owed = (sum(numbers) for numbers in zip(*study.phases.values(), strict=True))
        parts = [part.split("/") for part in shown[study.study][1].split(" + ")]
        assert [sum(int(part[i]) for part in parts) for i in (0, 1)] == [done, owed]
