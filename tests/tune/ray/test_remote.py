"""Runs on a cluster's head: one of each name at a time."""

import pytest

from prunetune.tune.ray import cluster, remote
from prunetune.tune.ray.errors import ClusterError


def test_a_sweep_that_runs_from_another_place_is_said_and_is_no_lost_cluster(monkeypatch):
    def taken(actor_options):
        raise ValueError(f"The name {actor_options['name']} is already taken. Use another one.")

    monkeypatch.setattr(remote, "Queue", taken)
    monkeypatch.setattr(remote, "_FORMER_S", -1)
    monkeypatch.setattr(cluster, "on_head", dict)
    with pytest.raises(ClusterError, match=r"^the sweep runs on the cluster already"):
        remote.run_on_head(None, "mine", None, lambda: False)
