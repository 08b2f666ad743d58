"""Trials leave a node that is about to be taken away; ended trials leave nothing behind."""

from contextlib import nullcontext
from types import SimpleNamespace

import pytest

from prunetune.tune.ray import leaving
from prunetune.tune.ray.record_callback import RecordCallback


class Trial(SimpleNamespace):
    def __init__(self, trial_id):
        state = SimpleNamespace(ray_actor=f"actor of {trial_id}")
        config = {"key": f"key of {trial_id}", "study": "a"}
        super().__init__(trial_id=trial_id, config=config, temporary_state=state)


@pytest.fixture
def nodes(monkeypatch):
    """LeavingNodes of a cluster whose node `old` is draining, and the actors that it ends."""
    ended = []
    monkeypatch.setattr(leaving.ray, "kill", ended.append)
    draining = SimpleNamespace(get_draining_nodes=lambda: {"old": 0})
    monkeypatch.setattr(leaving, "state", draining)
    return leaving.LeavingNodes(), ended


def test_a_trial_on_a_node_that_leaves_is_moved_once_and_is_not_charged(nodes):
    watch, ended = nodes
    trial = Trial("1")
    watch.move(trial, {leaving.NODE: "old"})
    watch.move(trial, {leaving.NODE: "old"})
    assert ended == ["actor of 1"]
    fault = watch.fault_of(trial)
    assert fault.kind == "preemption"
    assert "taken away" in fault.error


def test_other_nodes_keep_their_trials(nodes):
    watch, ended = nodes
    watch.move(Trial("1"), {leaving.NODE: "new"})
    watch.move(Trial("2"), {})
    assert ended == []
    assert watch.fault_of(Trial("1")) is None


def test_an_ended_trial_keeps_nothing_of_its_own_but_its_key():
    driver = SimpleNamespace(guarded=nullcontext, complete=lambda key: None)
    callback, ended = RecordCallback(driver, None), []
    for number in range(3):
        trial = Trial(str(number))
        trial.evaluated_params, trial.experiment_tag = trial.config, f"long of {number}"
        trial._default_result_or_future = f"long of {number}"
        trial.storage = SimpleNamespace(folder=str(number))
        trial.run_metadata = SimpleNamespace(last_result={"report": f"long of {number}"})
        callback.on_trial_complete(0, [], trial)
        ended.append(trial)
    assert [trial.config["key"] for trial in ended] == ["key of 0", "key of 1", "key of 2"]
    assert all(trial.run_metadata.last_result == {"done": True} for trial in ended)
    assert not any("long of" in str(vars(trial)) for trial in ended)
    assert len({trial.storage.folder for trial in ended}) == 1
