"""A sweep that leaves its resources to a cluster which grows, loses a node, and shrinks."""

import subprocess
import sys

import psutil
import pytest

from prunetune.agenda import counts
from prunetune.records.store import Store
from tests.e2e.growing_cluster import growing_cluster
from tests.e2e.growing_sweep import noted, plan
from tests.e2e.ray_nodes import PATIENCE_S, ROOT, wait_until
from tests.tune.fakes import starts


@pytest.mark.cluster
@pytest.mark.parametrize("v2", [False, True], ids=["v1", "v2"])
def test_slots_follow_the_cluster_and_a_drained_node_loses_no_epoch(tmp_path, v2):
    store = Store(tmp_path, "fake")
    with growing_cluster(2, v2=v2) as cluster:
        log = tmp_path / "log"
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.e2e.growing_sweep", str(tmp_path), cluster.address],
            cwd=ROOT, env=cluster.env, stdout=log.open("w"), stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            wait_until(lambda: len(used(store)) == 2, "the autoscaler has started two nodes")
            by_hand = joined(cluster)
            wait_until(lambda: by_hand in used(store), "the node that joined is used")
            key, node = trial_off(store, by_hand, cluster)
            (worker,) = starts(store, key)
            cluster.drain(node, seconds=60)
            wait_until(lambda: not psutil.pid_exists(worker), "the trial leaves the node")
            wait_until(lambda: node in cluster.nodes("DEAD"), "the node ends")
            wait_until(lambda: trial_off(store, by_hand, cluster), "another node has a trial")
            cluster.kill(trial_off(store, by_hand, cluster)[1])
            (tmp_path / "go").touch()
            assert process.wait(PATIENCE_S) == 0, log.read_text()
            wait_until(lambda: cluster.nodes() == [by_hand], "the autoscaler has no node left")
        finally:
            process.kill()
    records = store.records()
    assert len(records) == counts(plan()).total.total
    assert {r.status for r in records.values()} == {"completed"}
    trained = noted(store, "trained")
    repeated = sum(len(epochs) - len(set(epochs)) for epochs in trained.values())
    assert repeated <= 2, "each break costs no more than the epoch that had just begun"
    assert len(starts(store, key)) >= 2, "it went on elsewhere"


def trial_off(store, by_hand, cluster):
    """A trial that has no record yet, on a living node of the autoscaler; else None."""
    living = set(cluster.nodes()) - {by_hand}
    now = {key: nodes[-1] for key, nodes in noted(store, "nodes").items()}
    ended = store.records().keys()
    return next(((k, n) for k, n in now.items() if n in living and k not in ended), None)


def used(store):
    """The nodes on which trials have started."""
    return {node for nodes in noted(store, "nodes").values() for node in nodes}


def joined(cluster):
    """A node of one CPU that joins the cluster by hand."""
    before = cluster.nodes()
    cluster.start_worker("--num-cpus=1", "--num-gpus=0")
    (node,) = set(cluster.nodes()) - set(before)
    return node
