"""What a user sees while a sweep runs."""

import io
import os
import re
from contextlib import suppress

import pytest
from rich.console import Console

from prunetune.agenda import Agenda, Deal, Finished, Trials, counts, due, search_spec
from prunetune.records.record_builder import RecordBuilder
from prunetune.records.store import Store
from prunetune.tune.callbacks import Broadcast
from prunetune.tune.console import SweepConsole
from tests.tune.fakes import LR, epoch, make_plan, study


def play(plan, observer, until=10**6):
    """Tell `observer` about a whole sweep in which every trial completes."""
    trials = Trials()
    agenda, records = Agenda(plan, trials), trials.records
    while not isinstance(now := due(agenda), Finished) and len(records) < until:
        spec = now.spec if isinstance(now, Deal) else search_spec(plan, now, {LR: 0.1}, records)
        trials.deal(spec)
        observer.on_dealt(spec)
        builder = RecordBuilder(spec)
        for number in range(1, spec.epochs + 1):
            builder.add({"curve": [epoch(number, 0.5)], "test_acc1": 0.4321})
            observer.on_epoch(spec, builder.curve[-1])
        trials.end(builder.record("completed"))
        observer.on_record(records[spec.key])
    return records


@pytest.fixture
def plan():
    return make_plan(trials=2)


def test_a_log_has_one_plain_line_per_finished_trial(plan, tmp_path):
    out = io.StringIO()
    observer = SweepConsole(plan, Store(tmp_path, "fake"), Console(file=out, soft_wrap=True))
    records = play(plan, observer)
    observer.close()
    lines = out.getvalue().splitlines()
    assert len(lines) == len(records) == counts(plan).total.total
    assert [line.split()[0] for line in lines] == [
        f"{n + 1}/{len(lines)}" for n in range(len(lines))
    ]
    assert all(key in line for key, line in zip(records, lines, strict=True))
    assert "\x1b" not in out.getvalue()


def test_a_terminal_shows_every_study_and_ends_on_the_whole(plan, tmp_path):
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=100)
    observer = SweepConsole(plan, Store(tmp_path, "fake"), console)
    records = play(plan, observer)
    observer.close()
    last = out.getvalue()[out.getvalue().rindex("fake") :]
    assert f"{len(records)}/{len(records)}" in last
    assert all(study.id in last for study in plan.studies)
    assert "50.00 %" in last
    assert "43.21 % (n=2)" in last


def test_the_time_left_is_told_from_this_run_alone(plan, tmp_path):
    console = Console(file=io.StringIO(), force_terminal=True, width=100)
    observer = SweepConsole(plan, Store(tmp_path, "fake"), console)
    assert "left" not in observer.table().caption
    play(plan, observer, until=3)
    assert "left" in observer.table().caption
    observer.close()


def test_a_log_tells_the_time_left_until_nothing_is(plan, tmp_path):
    out = io.StringIO()
    observer = SweepConsole(plan, Store(tmp_path, "fake"), Console(file=out, soft_wrap=True))
    play(plan, observer)
    lines = out.getvalue().splitlines()
    assert all(" left" in line for line in lines[:-1])
    assert " left" not in lines[-1]


@pytest.fixture
def large_plan():
    """60 studies, the names of which are as long as names are in practice."""
    budgets = [round(0.9 - 0.01 * i, 2) for i in range(30)]
    arms = (("thin_scratch_b_rethinking", False), ("pruned_by_anything", True))
    studies = tuple(
        study(arm, budget, inherits=inherits, trials=1)
        for arm, inherits in arms
        for budget in budgets
    )
    return make_plan(trials=1, seeds=1, studies=studies)


def text(table):
    """The lines of the table as 80 columns show it."""
    out = io.StringIO()
    Console(file=out, width=80).print(table)
    return out.getvalue().splitlines()


@pytest.mark.parametrize("height", [12, 24, 50, 200])
def test_sixty_studies_fit_a_terminal_of_80_columns(large_plan, tmp_path, height):
    names = ["dense", *(study.id for study in large_plan.studies)]
    for until in (0, 5, 70, 10**6):
        observer = SweepConsole(large_plan, Store(tmp_path, "fake"), Console(file=io.StringIO()))
        play(large_plan, observer, until)
        lines = text(observer.table(height))
        assert len(lines) < height
        assert max(map(len, lines)) <= 80
        shown = [word for line in lines for word in line.split()[:1] if word in names]
        assert shown == [name for name in names if name in shown]
        assert len(shown) >= min(61, height - 7)
        hidden = len(names) - len(shown)
        assert (f"and {hidden} more studies" in " ".join(lines)) == (hidden > 0)


def test_what_runs_is_never_folded(large_plan, tmp_path):
    observer = SweepConsole(large_plan, Store(tmp_path, "fake"), Console(file=io.StringIO()))
    trials = Trials()
    agenda = Agenda(large_plan, trials)
    running = []
    while len(running) < 4:
        now = due(agenda)
        spec = now.spec if isinstance(now, Deal) else search_spec(large_plan, now, {LR: 0.1}, {})
        trials.deal(spec)
        trials.begin(spec.key)
        observer.on_dealt(spec)
        running.append(spec.study or "dense")
    shown = {word for line in text(observer.table(14)) for word in line.split()[:1]}
    assert set(running) <= shown


@pytest.mark.parametrize("term", ["xterm-256color", "dumb"])
def test_colours_are_left_out_where_they_are_not_wanted(plan, tmp_path, monkeypatch, term):
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", term)
    out = io.StringIO()
    observer = SweepConsole(plan, Store(tmp_path, "fake"), Console(file=out, force_terminal=True))
    records = play(plan, observer)
    observer.close()
    assert not re.search(r"\x1b\[[0-9;]*(3[0-8]|4[0-8]|9[0-7])[;m]", out.getvalue())
    if term == "dumb":  # it cannot redraw
        assert len(out.getvalue().splitlines()) == len(records)


def test_a_reader_that_leaves_ends_nothing(plan, tmp_path, monkeypatch):
    """rich ends the process where its reader has left; a program of the user's may print so."""
    reading, writing = os.pipe()
    os.close(reading)
    pipe = os.fdopen(writing, "w", buffering=1)
    monkeypatch.setattr("sys.stdout", pipe)
    observer = SweepConsole(plan, Store(tmp_path, "fake"))
    observer.say(["nobody hears this"])
    assert len(play(plan, observer)) == counts(plan).total.total
    observer.close()
    with suppress(BrokenPipeError):
        pipe.close()


def test_a_console_that_fails_costs_one_warning(plan, tmp_path, caplog):
    """So does one that leaves, as rich does where nobody has told it otherwise."""

    class Leaving:
        def __getattr__(self, name):
            raise SystemExit(1)

    assert len(play(plan, Broadcast([Leaving()]))) == counts(plan).total.total
    assert [record.getMessage() for record in caplog.records] == [
        "Leaving failed; the sweep goes on"
    ]
