"""A sweep on a real Ray: nothing is lost, nothing is told twice, nothing hangs."""

from pathlib import Path

import pytest

from prunetune.agenda import Agenda, Trials, closed, counts
from prunetune.config.search import Asha
from prunetune.records.files import StorageError
from prunetune.records.store import Store
from prunetune.tune.breaks import BreakLog
from prunetune.tune.ray import cluster
from prunetune.tune.ray.tuner import run
from prunetune.tune.resources import ResourceError
from prunetune.tune.rungs import rung
from tests.tune.fakes import faulty, full_disk, hopeless, make_plan, quick, starts


@pytest.fixture(scope="module", autouse=True)
def _ray(tmp_path_factory):
    """One Ray for all tests here; `run` leaves a Ray alone that it did not start."""
    with cluster.connected(None, tmp_path_factory.mktemp("ray") / "ray.log"):
        yield


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path, "fake")


class Witness:
    def __init__(self):
        self.events = []

    def on_dealt(self, spec):
        self.events.append(("dealt", spec.key))

    def on_epoch(self, spec, epoch):
        self.events.append(("epoch", spec.key, epoch.epoch))

    def on_record(self, record):
        self.events.append(("record", record.key))

    def close(self):
        self.events.append(("closed",))


def test_everything_is_recorded_once_by_few_actors(store):
    plan, witness = make_plan(trials=6, seeds=3), Witness()
    limited = run(plan, store, observers=[witness], trial=quick)
    records = store.records()
    keys = list(records)
    assert len(keys) == counts(plan).total.total
    assert {r.status for r in records.values()} == {"completed"}
    assert not limited
    for key, record in records.items():
        own = [event for event in witness.events if event[1:2] == (key,)]
        epochs = [("epoch", key, n + 1) for n in range(record.epochs_planned)]
        assert own == [("dealt", key), *epochs, ("record", key)]
    assert witness.events[-1] == ("closed",)
    pids = {starts(store, key)[0] for key in keys}
    assert len(pids) <= plan.resources["max_concurrent"]

    again = Witness()
    run(plan, store, observers=[again], trial=hopeless)
    assert store.records() == records
    assert again.events == [("closed",)]


def test_a_death_or_a_hang_costs_an_epoch_and_a_trial_that_always_raises_fails(store):
    plan = make_plan(trials=2)
    run(plan, store, trial=faulty)
    records = store.records()
    assert len(records) == counts(plan).total.total
    search = {(r.arm, r.number): r for r in records.values() if r.phase == "search"}
    failure = search["pruned", 1]
    for number, kind in enumerate(("death", "hang")):
        survivor = search["thin", number]
        assert survivor.status == "completed"
        assert [e.epoch for e in survivor.curve] == [1, 2, 3]
        assert len(starts(store, survivor.key)) == 2
        breaks = BreakLog(store.trial_folder(survivor.key).breaks).breaks
        assert [each.kind for each in breaks] == [kind]
    assert [k for k, r in records.items() if r.status == "failed"] == [failure.key]
    assert failure.failed_by == "exception"
    assert failure.error == "ZeroDivisionError: no such thing"
    assert len(starts(store, failure.key)) == 3
    trace = store.trial_folder(failure.key).error.read().decode()
    assert "second line" in trace
    assert "\x1b" not in trace


def test_when_everything_fails_the_sweep_ends(store):
    plan = make_plan(trials=1, seeds=1)
    run(plan, store, trial=hopeless)
    records = store.records()
    assert {r.status for r in records.values()} == {"failed"}
    shut = closed(Agenda(plan, Trials(records, store.trials())))
    assert len(records) + len(shut) == counts(plan).total.total


def test_trials_are_stopped_early_on_their_curves(store):
    plan = make_plan(trials=9, seeds=1, asha=Asha(reduction=3, run_on=1))
    run(plan, store, trial=quick)
    records = store.records()
    stopped = [r for r in records.values() if r.status == "stopped"]
    assert stopped
    assert all(r.epochs == len(r.curve) == rung(r.epochs_planned) for r in stopped)
    assert all(r.phase == "search" for r in stopped)
    completed = {r.status for r in records.values() if r not in stopped}
    assert completed == {"completed"}
    for study in plan.studies:
        ran_on = [s for s in store.trials().values() if s.study == study.id and s.run_on]
        assert [records[s.key].status for s in ran_on] == ["completed"]


def test_a_full_disk_ends_the_sweep_cleanly_and_leaves_no_record(store):
    plan = make_plan(trials=1)
    with pytest.raises(StorageError, match="No space left"):
        run(plan, store, trial=full_disk)
    assert store.records() == {}
    assert len(store.trials()) == 2


def test_more_gpus_than_there_are_is_refused_before_anything_is_dealt(store):
    plan = make_plan(resources={"cpus": 1, "gpus": 64, "max_concurrent": 1})
    with pytest.raises(ResourceError, match=r"resources\.gpus: 64 per trial"):
        run(plan, store, trial=quick)
    assert store.trials() == {}


def test_limits_end_a_sweep_with_work_left(store):
    plan = make_plan(limits={"hours": 0.0})
    assert run(plan, store, trial=quick)
    assert store.records() == {}
