"""The report as files and figures: laws that hold for any sweep, finished or not."""

from __future__ import annotations

import csv
import io
import json
import random
from pathlib import Path

import pytest

from prunetune.analysis import Report, analyse, text_table, write_report
from prunetune.analysis.evidence.ledger import ledger
from prunetune.analysis.page.figures.axes import WIDE, axes
from prunetune.analysis.page.figures.frontier_plot import FrontierFigure
from prunetune.analysis.page.html import page
from prunetune.analysis.page.view import PageView
from prunetune.plan import MASKED, Plan
from prunetune.records.files import StoredFolder
from prunetune.records.record import Record, TrainMacs
from prunetune.records.seeds import confirm_seed
from tests.analysis.sweeps import config, make_plan, noisy, record, run

THREE = {"thin": "width_scaling", "pruned": "channel_pruning", "reinit": "reinit"}
MEANS = {"thin": 0.93, "pruned": 0.935, "reinit": 0.931}


@pytest.fixture(scope="module")
def plan() -> Plan:
    return make_plan(THREE, (0.5, 0.25), matchings=("scratch_e", "scratch_b"), seeds=3)


@pytest.fixture(scope="module")
def records(plan: Plan) -> dict[str, Record]:
    completed = run(plan, noisy(MEANS))
    rng = random.Random(0)
    ends = ("completed", "stopped", "diverged", "failed", "infeasible")
    return {
        key: r.model_copy(
            update={
                "train_macs": TrainMacs(spent=rng.randrange(10**15)),
                "wall_s": {"total": rng.randrange(10**6) / 1000},
                "status": rng.choice(ends) if r.phase == "search" and r.number == 0 else r.status,
            }
        )
        for key, r in completed.items()
    }


def rows(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode())))


def test_every_mac_counts_once(plan: Plan, records: dict[str, Record]) -> None:
    costs = ledger(records.values(), plan.arms())
    spent = sum(r.train_macs.spent for r in records.values())
    assert costs.spent_macs == spent == sum(costs.by_arm.values()) == sum(costs.by_phase.values())
    seconds = sum(r.wall_s["total"] for r in records.values())
    for table in (costs.seconds_by_arm, costs.seconds_by_phase):
        assert sum(table.values()) == pytest.approx(seconds) == costs.spent_s
    for counts in (costs.trials_by_arm, costs.trials_by_phase):
        assert sum(counts.values()) == len(records)
    by_study = sum(row.spent_macs for row in analyse(plan, records).frontier)
    assert by_study + costs.by_phase["dense"] == spent


def test_a_control_arm_called_dense_keeps_its_own_account() -> None:
    plan = make_plan({"dense": "width_scaling", "pruned": "channel_pruning"})
    records = run(plan, noisy({"dense": 0.93, "pruned": 0.93}))
    costs = analyse(plan, records).ledger
    assert costs.by_arm["dense network"] == costs.by_phase["dense"]
    assert sum(costs.by_arm.values()) == costs.spent_macs


def test_the_order_of_records_does_not_matter(plan: Plan, records: dict[str, Record]) -> None:
    shuffled = list(records.items())
    random.Random(1).shuffle(shuffled)
    first = analyse(plan, records, created_at="now")
    assert analyse(plan, dict(shuffled), created_at="now") == first


def test_a_former_winners_seeds_leave_the_frontier_but_not_the_ledger() -> None:
    plan = make_plan(THREE, (0.25,), seeds=3)
    records = run(plan, noisy(MEANS))
    pruned = next(s for s in plan.studies if s.arm == "pruned")
    before = analyse(plan, records)
    better = record(plan, "search", pruned, 4, number=4, config=config(4), val_acc1=0.99)
    grown = plan.model_copy(
        update={
            "studies": tuple(
                s.model_copy(update={"trials": 5}) if s is pruned else s for s in plan.studies
            )
        }
    )
    after = analyse(grown, {**records, better.key: better})
    rows = {row.arm: row for row in after.frontier}
    assert rows["pruned"].winner == better.key
    assert (rows["pruned"].n, rows["pruned"].confirm_pending) == (0, 3)
    assert (rows["reinit"].trials_ended, rows["reinit"].n) == (0, 0)  # it stood on the former one
    assert rows["thin"] == next(row for row in before.frontier if row.arm == "thin")
    spent = better.train_macs.spent
    assert after.ledger.spent_macs == before.ledger.spent_macs + spent
    assert after.verdicts[0].verdict == "undecided"


@pytest.mark.parametrize("phases", [(), ("dense",), ("dense", "search")])
def test_an_unfinished_sweep_is_reported_as_such(
    plan: Plan, records: dict[str, Record], phases: tuple[str, ...], tmp_path: Path
) -> None:
    partial = {k: r for k, r in records.items() if r.phase in phases}
    report = write_report(plan, partial, StoredFolder(tmp_path))
    assert {v.verdict for v in report.verdicts} == {"undecided"}
    assert {row.n for row in report.frontier} == {0}
    expected = {"confirming"} if "search" in phases else {"not begun"}
    assert {row.state for row in report.frontier} == expected
    assert "This sweep is not finished" in (tmp_path / "index.html").read_text()


def test_any_subset_of_records_can_be_reported(
    plan: Plan, records: dict[str, Record], tmp_path: Path
) -> None:
    for seed in range(8):
        rng = random.Random(seed)
        subset = {k: r for k, r in records.items() if rng.random() < 0.2 + 0.1 * seed}
        report = write_report(plan, subset, StoredFolder(tmp_path))
        assert report.ledger.spent_macs == sum(r.train_macs.spent for r in subset.values())
        assert len(rows((tmp_path / "trials.csv").read_bytes())) == len(subset)


def test_frontier_csv_is_the_frontier(
    plan: Plan, records: dict[str, Record], tmp_path: Path
) -> None:
    report = write_report(plan, records, StoredFolder(tmp_path))
    table = rows((tmp_path / "frontier.csv").read_bytes())
    assert [row["study"] for row in table] == [study.id for study in plan.studies]
    for line, row in zip(table, report.frontier, strict=True):
        for name, value in row.model_dump().items():
            text = str(value).lower() if isinstance(value, bool) else str(value)
            assert line[name] == ("" if value is None else text)


def test_trials_csv_has_every_record_with_its_config(
    plan: Plan, records: dict[str, Record], tmp_path: Path
) -> None:
    write_report(plan, records, StoredFolder(tmp_path))
    table = {row["key"]: row for row in rows((tmp_path / "trials.csv").read_bytes())}
    assert table.keys() == records.keys()
    for key, r in records.items():
        assert table[key]["status"] == r.status
        assert int(table[key]["train_macs.spent"]) == r.train_macs.spent
        for path, value in r.config.items():
            assert table[key][path] == str(value)


def test_report_json_keeps_its_contract(
    plan: Plan, records: dict[str, Record], tmp_path: Path
) -> None:
    report = write_report(plan, records, StoredFolder(tmp_path))
    plain = json.loads((tmp_path / "report.json").read_text())
    assert {"verdicts", "ledger", "sweep", "dense", "family", "created_at"} <= plain.keys()
    assert {"spent_macs", "spent_s", "by_arm", "by_phase"} <= plain["ledger"].keys()
    assert len(plain["verdicts"]) == 4
    for verdict in plain["verdicts"]:
        keys = {"budget", "matching", "arms", "pairs", "verdict", "winner", "difference"}
        assert keys | {"low", "high", "p"} <= verdict.keys()
        assert verdict["arms"].keys() == {"thin", "pruned", "reinit"}
        for arm in verdict["arms"].values():
            assert {"mean", "low", "high", "n", "macs"} <= arm.keys()
        assert len(verdict["pairs"]) == 3
        for pair in verdict["pairs"]:
            assert {"a", "b", "verdict", "difference", "low", "high", "p"} <= pair.keys()
    assert Report.model_validate(plain) == report


def test_the_frontier_agrees_with_the_confirm_records(
    plan: Plan, records: dict[str, Record]
) -> None:
    for row in analyse(plan, records).frontier:
        confirms = [r for r in records.values() if r.study == row.study and r.phase == "confirm"]
        assert {r.seed for r in confirms} == {confirm_seed(0, j) for j in range(3)}
        assert row.test_acc1 == pytest.approx(sum(r.test_acc1 or 0 for r in confirms) / 3)
        assert row.macs == confirms[0].macs
        assert row.delta_acc1 == pytest.approx((row.test_acc1 or 0) - (row.dense_acc1 or 0))


def test_a_caveat_says_that_a_small_test_set_settles_nothing() -> None:
    small = make_plan(test_size=360)
    accuracy = noisy({"thin": 0.93, "pruned": 0.94})
    assert "cannot settle" in " ".join(analyse(small, run(small, accuracy)).limits)
    large = make_plan(test_size=1_000_000)
    assert "cannot settle" not in " ".join(analyse(large, run(large, accuracy)).limits)


def test_the_terminal_shows_every_verdict_and_every_study(
    plan: Plan, records: dict[str, Record]
) -> None:
    report = analyse(plan, records)
    text = text_table(report)
    assert all(sentence in text for sentence in report.sentences)
    assert all(study.id in text for study in plan.studies)


def test_an_arm_without_budgets_has_a_row_and_a_mark_but_no_verdict() -> None:
    base = make_plan(THREE, (0.5,), seeds=3)
    thin = base.study("thin@0.5 scratch_b")
    update = {"id": "control@dense", "arm": "control", "method": "dense", "budget": None,
              "matching": None, "inherits": True, "target_macs": base.dense.macs}  # fmt: skip
    plan = base.model_copy(update={"studies": (*base.studies, thin.model_copy(update=update))})
    report = analyse(plan, run(plan, noisy({**MEANS, "control": 0.94})))
    assert [v.model_dump() for v in report.verdicts] == [
        v.model_dump() for v in analyse(base, run(base, noisy(MEANS))).verdicts
    ]
    (row,) = (row for row in report.frontier if row.arm == "control")
    assert (row.budget, row.state, row.n) == (None, "confirmed", 3)
    assert row.macs == pytest.approx(base.dense.macs, rel=0.01)
    view = PageView(plan, {}, report)
    drawn = FrontierFigure(view, axes(view)[0], "scratch_b", WIDE).svg() or ""
    assert drawn.count('class="mark study') == len(plan.studies)
    assert "control@dense" in drawn
    assert "control@dense" in text_table(report)


def test_masked_arms_are_never_shown_without_their_caveat() -> None:
    base = make_plan({"thin": "width_scaling", "pruned": "channel_pruning"}, (0.5,), seeds=3)
    studies = [s.model_copy(update={"masked": s.arm == "pruned"}) for s in base.studies]
    plan = base.model_copy(update={"studies": tuple(studies)})
    records = run(plan, noisy({"thin": 0.93, "pruned": 0.935}))
    report = analyse(plan, records)
    assert all(sentence.endswith(f"{MASKED}.") for sentence in report.sentences)
    assert any(MASKED in caveat for caveat in report.limits)
    assert text_table(report).count(MASKED) == 2
    assert page(plan, records, report).decode().count(MASKED) >= 4
    assert MASKED not in text_table(analyse(base, records))
