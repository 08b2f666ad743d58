"""One MLflow serves several storages: nobody touches what belongs to another."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mlflow import MlflowClient

from prunetune.tracking.lines import frontier_lines
from prunetune.tracking.mlflow_store import MlflowStore
from prunetune.tracking.owner import STORAGE, VIEWS, Owner
from prunetune.tracking.ui import frontier_of
from tests.tracking.dump import runs
from tests.tracking.sweeps import make_plan, make_record, make_results, make_spec, make_specs

PLAN = make_plan("shared name", {"thin": "width_scaling"}, (0.5,))
OWNERS = ["a" * 32, "b" * 32, "c" * 32]


def tell(storage: Path, owner: str, **ends: Any) -> None:
    """What a whole sweep of the storage `owner` tells the one store of all of them."""
    store = MlflowStore(PLAN, f"sqlite:///{storage}/mlflow.db", storage, owner)
    store.sync(make_record(spec, **ends) for spec in make_specs(PLAN))
    store.study_results(make_results(PLAN))
    store.finish(120)


def held(client: MlflowClient, owner: str) -> dict[str, Any]:
    """Run id -> all that MLflow holds of the owner's runs."""
    ours = [r for r in runs(client, PLAN.sweep) if r.data.tags[STORAGE] == owner]
    return {r.info.run_id: (r.info.status, r.data.tags, r.data.metrics) for r in ours}


def test_a_sweep_in_three_storages_has_thrice_its_runs(storage: Path, client: MlflowClient) -> None:
    before: dict[str, Any] = {}
    for owner in OWNERS:
        tell(storage, owner)
        before[owner] = held(client, owner)
    sizes = {len(of_one) for of_one in before.values()}
    lines = len(list(frontier_lines(PLAN, make_results(PLAN))))
    assert sizes == {1 + len(PLAN.studies) + len(list(make_specs(PLAN))) + lines}
    tell(storage, OWNERS[1], status="failed", epochs=1)  # every trial is tried again
    after = {owner: held(client, owner) for owner in OWNERS}
    assert after[OWNERS[0]] == before[OWNERS[0]]
    assert after[OWNERS[2]] == before[OWNERS[2]]
    assert after[OWNERS[1]] != before[OWNERS[1]]


def test_each_owner_has_views_of_its_own_runs(storage: Path, client: MlflowClient) -> None:
    uri = f"sqlite:///{storage}/mlflow.db"
    for owner in OWNERS[:2]:
        store = MlflowStore(PLAN, uri, storage, owner)
        store.on_record(make_record(make_spec(PLAN, None, 0, "dense")))
        store.finish(120)
    tags = client.get_experiment_by_name(PLAN.sweep).tags
    assert tags[VIEWS] == f"{OWNERS[0]}/{PLAN.sweep}"
    for owner in OWNERS[:2]:
        _, view = frontier_of(uri, PLAN.sweep, Owner(PLAN.sweep, owner))
        state = json.loads(json.loads(tags[f"mlflow.sharedViewState.{view}"])["state"])
        assert f"tags.`{STORAGE}` = '{owner}'" in state["searchFilter"]
    assert frontier_of(uri, PLAN.sweep, Owner(PLAN.sweep, OWNERS[0]))[1] == "frontier"


def test_runs_of_an_older_version_are_adopted_in_the_store_beside_the_results_alone() -> None:
    tags = {"prunetune.sweep": "mine"}
    assert Owner("mine", OWNERS[0], adopts=True).has(tags)
    assert not Owner("mine", OWNERS[0]).has(tags)
    assert not Owner("other", OWNERS[0], adopts=True).has(tags)
    assert not Owner("mine", OWNERS[0], adopts=True).has({**tags, STORAGE: OWNERS[1]})


def test_a_second_run_of_one_key_is_deleted_at_the_next_start(
    storage: Path, client: MlflowClient
) -> None:
    """A server that was slow has made it, after its request was given up and sent again."""
    record = make_record(make_spec(PLAN, None, 0, "dense"))
    uri = f"sqlite:///{storage}/mlflow.db"
    for again in (False, True):
        store = MlflowStore(PLAN, uri, storage, OWNERS[0])
        store.on_record(record)
        store.finish(120)
        found = [r for r in runs(client, PLAN.sweep) if r.data.tags["prunetune.key"] == record.key]
        assert len(found) == 1
        if not again:
            tags = found[0].data.tags
            client.create_run(found[0].info.experiment_id, tags=tags, start_time=2**41)
