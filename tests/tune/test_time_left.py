"""The time left: laws on made-up sweeps, and the sweeps of the committed experiments again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from prunetune.agenda.remaining import Task
from prunetune.tune.time_left import TimeLeft

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
COMMITTED = sorted(path.parent.name for path in EXPERIMENTS.glob("20*/plan.json"))
_BUSY_S = 5.0
"""Nothing ran for longer: the sweep was interrupted, and its clock stood still."""


@dataclass(frozen=True)
class Ran:
    """A trial of a sweep that is over."""

    task: Task
    begin: float
    end: float
    epochs: list[float]

    def done(self, now: float) -> int:
        """The epochs that had ended at `now`."""
        ends = [self.begin + sum(self.epochs[: i + 1]) for i in range(len(self.epochs))]
        return sum(end <= now for end in ends)


def ran(record: dict[str, Any]) -> Ran:
    sparsity = isinstance(record["budget"], str)  # its networks train at dense MACs
    macs = record["dense_macs"] if sparsity else record["target_macs"]
    task = Task(record["study"] or "dense", record["phase"], macs, record["epochs_planned"])
    begin, end = (
        datetime.fromisoformat(record[at]).timestamp() for at in ("started_at", "ended_at")
    )
    begin = max(begin, end - record["wall_s"]["total"] - 1)  # the time that it was interrupted
    return Ran(task, begin, end, [epoch["seconds"] for epoch in record["curve"]])


def pauses(trials: list[Ran]) -> Iterator[tuple[float, float]]:
    """The spans in which nothing ran: begin and length."""
    last = min(trial.begin for trial in trials)
    for trial in sorted(trials, key=lambda trial: trial.begin):
        if trial.begin - last > _BUSY_S:
            yield last, trial.begin - last
        last = max(last, trial.end)


@cache
def sweep(name: str) -> tuple[dict[str, Any], list[Ran]]:
    """Its plan, and its trials by a clock that starts at 0 and stands still in pauses."""
    folder = EXPERIMENTS / name
    files = (folder / "records").glob("*.json")
    trials = [ran(json.loads(path.read_text(encoding="utf-8"))) for path in files]
    gaps = list(pauses(trials))

    def clock(at: float) -> float:
        return at - sum(length for begin, length in gaps if at > begin)

    start = clock(min(trial.begin for trial in trials))
    shifted = [
        Ran(trial.task, clock(trial.begin) - start, clock(trial.end) - start, trial.epochs)
        for trial in trials
    ]
    return json.loads((folder / "plan.json").read_text(encoding="utf-8"))["plan"], shifted


def estimate(name: str, now: float) -> float:
    """The time left as it would have been told at `now`, with all that was known then."""
    plan, trials = sweep(name)
    known = TimeLeft(
        plan["dense"]["macs"], plan["test_size"] / (3 * plan["train_size"] + plan["val_size"])
    )
    running = []
    for trial in (trial for trial in trials if trial.begin <= now):
        for seconds in trial.epochs[: trial.done(now)]:
            known.epoch(trial.task, seconds)
        if trial.end <= now:
            whole = trial.end - trial.begin
            known.ended(trial.task, len(trial.epochs), whole - sum(trial.epochs))
        else:
            running.append((trial.task, trial.done(now)))
    waiting = [trial.task for trial in trials if trial.begin > now]
    left = known.seconds(waiting, running, slots=2)
    assert left is not None
    return left


def whole(name: str) -> float:
    return max(trial.end for trial in sweep(name)[1])


def by_epochs(name: str, now: float) -> float:
    """The estimate that weighs all epochs alike."""
    trials = sweep(name)[1]
    done = sum(
        trial.task.epochs if trial.end <= now else trial.done(now)
        for trial in trials
        if trial.begin <= now
    )
    return now * (sum(trial.task.epochs for trial in trials) / done - 1)


@pytest.mark.parametrize("name", COMMITTED)
@pytest.mark.parametrize("percent", range(25, 100, 5))
def test_from_a_quarter_on_the_whole_time_is_known_within_30_percent(
    name: str, percent: int
) -> None:
    total = whole(name)
    now = total * percent / 100
    assert now + estimate(name, now) == pytest.approx(total, rel=0.3)


@pytest.mark.parametrize("name", COMMITTED)
@pytest.mark.parametrize("percent", [25, 35, 45, 50])
def test_up_to_the_half_so_is_the_time_left(name: str, percent: int) -> None:
    total = whole(name)
    now = total * percent / 100
    assert estimate(name, now) == pytest.approx(total - now, rel=0.3)


def test_weighing_all_epochs_alike_misses_some() -> None:
    """Else the estimate would not be worth its code."""
    assert len(COMMITTED) >= 6
    errors = {
        name: abs(by_epochs(name, whole(name) / 4) / (0.75 * whole(name)) - 1) for name in COMMITTED
    }
    assert sum(error > 0.3 for error in errors.values()) >= 2, errors


WIDE, NARROW = Task("wide", "search", 100, 10), Task("narrow", "search", 10, 10)


def test_nothing_is_said_before_an_epoch_was_measured() -> None:
    known = TimeLeft(100, 0.1)
    assert known.seconds([WIDE], [], 1) is None


def test_where_seconds_are_a_line_over_macs_the_estimate_is_exact() -> None:
    known = TimeLeft(100, 0.0)
    for task in (WIDE, NARROW):
        for _ in range(5):
            known.epoch(task, 1 + 0.1 * task.macs)
    unseen = Task("middle", "search", 50, 10)
    assert known.seconds([unseen], [], 1) == pytest.approx(60)
    assert known.seconds([unseen] * 6, [], 3) == pytest.approx(120)
    assert known.seconds([], [(unseen, 4)], 1) == pytest.approx(36)


def test_the_last_trial_cannot_be_shared_out() -> None:
    known = TimeLeft(100, 0.0)
    known.epoch(WIDE, 3.0)
    assert known.seconds([], [(WIDE, 0)], slots=8) == pytest.approx(30)


def test_a_study_that_is_slower_than_its_macs_is_learned() -> None:
    known = TimeLeft(100, 0.0)
    for _ in range(1000):
        known.epoch(NARROW, 7.0)
    for _ in range(1000):
        known.epoch(WIDE, 1.0)
    assert known.seconds([NARROW], [], 1) == pytest.approx(70, rel=0.02)
    assert known.seconds([WIDE], [], 1) == pytest.approx(10, rel=0.02)


def test_overheads_of_a_phase_count_for_its_other_studies() -> None:
    known = TimeLeft(100, 0.0)
    known.epoch(WIDE, 1.0)
    confirm = Task("wide", "confirm", 100, 10)
    before = known.seconds([confirm], [], 1) or 0.0
    known.ended(Task("narrow", "confirm", 10, 10), 10, overhead_s=20.0)
    assert known.seconds([confirm], [], 1) == pytest.approx(before + 20)


def test_trials_that_were_stopped_shorten_those_to_come() -> None:
    known = TimeLeft(100, 0.0)
    known.epoch(WIDE, 1.0)
    times = []
    for _ in range(5):
        times.append(known.seconds([WIDE], [], 1))
        known.ended(WIDE, 3, overhead_s=0.0)
    assert times == sorted(times, reverse=True)
    assert times[0] == pytest.approx(10)
    assert times[-1] > 3
