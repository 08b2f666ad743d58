"""The actor, without Ray's processes: one trial after another in one object."""

import logging
import os
from pathlib import Path

import pytest

from prunetune.agenda import Agenda, Trials, due
from prunetune.records.record_builder import RecordBuilder
from prunetune.records.store import Store
from prunetune.tune.faults import raised
from prunetune.tune.ray.trainable import FAULT, ActorSetup, TrialActor, unpack, words
from tests.tune.fakes import endless, make_plan, quick


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path, "fake")


@pytest.fixture
def spec(store):
    spec = due(Agenda(make_plan(), Trials())).spec
    store.write_trial(spec)
    return spec


def actor(store, spec, trial) -> TrialActor:
    made = TrialActor.__new__(TrialActor)
    made.config = {"key": spec.key}
    made.setup(made.config, ActorSetup(store, threads=3, device="cpu", offline=True, trial=trial))
    return made


def test_reports_reach_the_driver_as_they_were_made(store, spec, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    made = actor(store, spec, quick)
    builder = RecordBuilder(spec)
    done = False
    while not done:
        result = made.step()
        builder.add(unpack(result))
        done = result["done"]
    record = builder.record()
    assert [e.epoch for e in record.curve] == [*range(1, spec.epochs + 1)]
    assert record.status == "completed"
    assert os.environ["OMP_NUM_THREADS"] == "3"


def test_a_stopped_trial_is_closed_before_the_next_begins(store, spec):
    closed = []

    def watchful(spec, store, **options):
        try:
            yield from quick(spec, store, **options)
        finally:
            closed.append(spec.key)

    made = actor(store, spec, watchful)
    made.step()
    made.step()
    assert made.reset_config(made.config)
    assert closed == [spec.key]
    assert len(unpack(made.step())["curve"]) == 1, "the next run goes on from the first's epoch"


def test_a_trial_without_an_end_is_a_fault(store, spec):
    made = actor(store, spec, endless)
    made.step()
    result = made.step()
    assert raised(result[FAULT], "").error == "RuntimeError: the trial ended without a status"
    assert (unpack(result), result["done"]) == ({}, False)
    with pytest.raises(RuntimeError, match="without a status"):
        made.step()


def test_what_a_worker_says_goes_with_its_report(store, spec):
    def speaking(spec, store, *, device, offline):
        log = logging.getLogger("prunetune.trial")
        log.warning("checkpoint set aside")
        yield {"macs": spec.target_macs}
        log.warning("about to fail")
        raise RuntimeError("it fails")

    made = actor(store, spec, speaking)
    assert words(made.step()) == [(logging.WARNING, "checkpoint set aside")]
    assert words(made.step()) == [(logging.WARNING, "about to fail")]
