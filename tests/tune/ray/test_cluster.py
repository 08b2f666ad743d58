"""Joining a cluster, where a process of its own tries first."""

import pytest

from prunetune.tune.ray import cluster

PROBE = """
from pathlib import Path

with Path("{asked}").open("a") as asked:
    asked.write("once\\n")
raise ConnectionAbortedError("{message}")
"""


@pytest.mark.parametrize(
    ("message", "times"),
    [("Starting Ray client server failed. See the log.", 2), ("it is closed", 1)],
    ids=["busy", "refused"],
)
def test_only_a_head_that_was_too_busy_is_asked_twice(tmp_path, monkeypatch, message, times):
    asked = tmp_path / "asked"
    monkeypatch.setattr(cluster, "PROBE", PROBE.format(asked=asked, message=message))
    failing = pytest.raises(cluster.ClusterError, match=message)
    with failing, cluster.connected("ray://127.0.0.1:1", tmp_path / "ray.log"):
        pass
    assert asked.read_text().count("once") == times


def test_a_machine_on_which_ray_does_not_start_is_named(tmp_path, monkeypatch):
    def timed_out(**options: object) -> None:
        raise Exception("The current node timed out during startup.\nMore of it.")

    monkeypatch.setattr(cluster.ray, "init", timed_out)
    failing = pytest.raises(cluster.ClusterError, match=r"machine: The .* during startup\.$")
    with failing, cluster.connected(None, tmp_path / "ray.log"):
        pass
