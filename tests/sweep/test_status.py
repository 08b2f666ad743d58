"""`status` names what runs and what machines took from a search; last words, what is missing."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from prunetune.agenda import Agenda, Trials, status_rows
from prunetune.records.cost_meter import CostMeter
from prunetune.records.store import Store
from prunetune.sweep.first_words import announced
from prunetune.sweep.last_words import machine_losses, missing_trials
from prunetune.sweep.status import status_of
from prunetune.tune.breaks import STANDSTILLS
from prunetune.tune.callbacks import Broadcast
from prunetune.tune.driver import Driver
from prunetune.tune.faults import Fault
from tests.agenda.simulated import Sweep, plan
from tests.cli.command import prunetune
from tests.tune.fakes import epoch, make_plan


@pytest.fixture
def driver(tmp_path: Path) -> Driver:
    """A sweep with four slots whose plan is stored."""
    plan = make_plan(trials=2, seeds=1, limits={"hours": 1.5})
    store = Store(tmp_path, plan.sweep)
    facts = plan.model_dump(mode="json", by_alias=True)
    content = {"hash": plan.fingerprint, "growth": [], "spec": {}, "plan": facts}
    store.plan_file.write_json(content)
    return Driver(plan, store, Broadcast([]), slots=2)


def test_what_runs_is_named_with_where_and_since_when(driver: Driver) -> None:
    waiting, running = (driver.deal().spec for _ in range(2))  # type: ignore[union-attr]
    meter = CostMeter(driver.store.trial_folder(running.key).spent, 0)
    meter.spend(7, "checkpoint", 2)
    one, other = status_of(driver.store).trials
    assert (one.key, one.epoch, one.epochs_planned) == (running.key, 2, running.epochs)
    assert (one.host, one.process) == (socket.gethostname(), os.getpid())
    assert one.since is not None
    assert one.last_sign is not None
    assert one.since <= one.last_sign
    assert (other.key, other.host, other.sentence()) == (
        waiting.key, None, f"dense seed 0 ({waiting.key}): waits for a worker",
    )  # fmt: skip
    printed = prunetune("status", driver.store.root)
    assert f"thin@0.5 search #0 ({running.key}): in epoch 2 of 3, process" in printed.stdout
    assert other.sentence() in printed.stdout
    assert printed.returncode == 0, printed.stderr


@pytest.mark.parametrize("arms", [("thin", "pruned", "crossed"), ("pruned", "reinit", "copycat")])
def test_the_index_tells_at_any_moment_what_the_records_tell(
    tmp_path: Path, arms: tuple[str, ...]
) -> None:
    sweep = Sweep(plan(arms=arms, budgets=(0.5,)))
    store = Store(tmp_path, sweep.plan.sweep)
    while sweep.step():
        for record in sweep.records.values():
            store.write_record(record)
        told = status_rows(Agenda(sweep.plan, Trials(store.outcomes())))
        assert told == status_rows(Agenda(sweep.plan, Trials(sweep.records)))
        assert list(announced(sweep.plan, store, None))


def test_a_misspelt_sweep_is_told_the_near_match_first(driver: Driver) -> None:
    storage = driver.store.root.parent
    refused = prunetune("status", "fakee", "--storage", storage)
    assert refused.returncode == 2
    assert "did you mean 'fake'? there are: fake" in refused.stderr


def test_a_search_that_machines_robbed_says_so_beside_its_winner(driver: Driver) -> None:
    dense, lost = (driver.deal().spec for _ in range(2))  # type: ignore[union-attr]
    for _ in range(STANDSTILLS + 1):
        driver.fault(lost.key, Fault("the worker died", "", died=True))
        driver.deal()
    other = next(k for k, t in driver.running.items() if t.spec.study == "thin@0.5")
    driver.report(other, {"curve": [epoch(n, 0.5) for n in (1, 2, 3)], "status": "completed"})
    driver.complete(other)
    (doubt,) = machine_losses(Agenda(driver.plan, driver.trials))
    assert doubt.startswith(f"thin@0.5: 1 search trial ({lost.key}) ended without a result: the")
    assert "The winner is the best of the others; --retry-failed" in doubt
    assert status_of(driver.store).doubts == (doubt,)
    assert dense.key in driver.running


def test_the_last_words_of_a_limited_sweep_name_what_is_missing(driver: Driver) -> None:
    key = driver.deal().spec.key  # type: ignore[union-attr]
    driver.report(key, {"curve": [epoch(n, 0.5) for n in (1, 2)], "status": "completed"})
    driver.complete(key)
    agenda = Agenda(driver.plan, Trials(driver.store.records(), driver.store.trials()))
    assert missing_trials(agenda, 1.5) == (
        "ended by limits.hours: 1.5 h are used up over all starts; 6 of 7 trials are missing "
        "(thin@0.5: 2 search + 1 confirm; pruned@0.5: 2 search + 1 confirm); raise limits.hours "
        "to go on"
    )
