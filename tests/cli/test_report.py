"""`prunetune report`: one sweep, several sweeps, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from prunetune.records.key import digest
from prunetune.records.store import Store
from tests.analysis.sweeps import make_plan, noisy, run
from tests.cli.command import prunetune


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    for name in ("first", "sec ond"):
        store, plan = Store(folder, name), make_plan(budgets=(0.5, 0.25), sweep=name, seeds=3)
        facts = plan.model_dump(mode="json", by_alias=True)
        store.plan_file.write_json({"hash": digest(facts), "growth": [], "spec": {}, "plan": facts})
        for record in run(plan, noisy({"thin": 0.93, "pruned": 0.94})).values():
            store.write_record(record)
    return folder


def test_several_sweeps_get_their_reports_and_a_page_that_leads_to_them(storage: Path) -> None:
    goal = storage / "side by side"
    sweeps = ("first", "sec ond")
    done = prunetune("report", *sweeps, "--storage", storage, "--to", goal)
    assert (done.returncode, done.stderr) == (0, "")
    pages = [str(storage / name / "report" / "index.html") for name in sweeps]
    assert [line for line in done.stdout.splitlines() if line.endswith("index.html")] == [
        *pages,
        str(goal / "index.html"),
    ]
    content = (goal / "index.html").read_text()
    assert 'href="../first/report/index.html"' in content
    assert 'href="../sec%20ond/report/index.html"' in content
    assert all(Path(page).exists() for page in pages)


def test_json_of_several_sweeps_is_a_list_of_their_reports(storage: Path) -> None:
    done = prunetune(
        "report",
        "first",
        storage / "sec ond",
        "--storage",
        storage,
        "--to",
        storage / "x",
        "--json",
    )  # fmt: skip
    assert [report["sweep"] for report in json.loads(done.stdout)] == ["first", "sec ond"]


@pytest.mark.parametrize(
    ("second", "says"), [("first", "'first' is named twice"), ("third", "no sweep 'third'")]
)
def test_nothing_is_written_if_one_sweep_is_refused(storage: Path, second: str, says: str) -> None:
    goal = storage / "refused"
    done = prunetune("report", "first", second, "--storage", storage, "--to", goal)
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert not goal.exists()
