"""A cluster of processes that grows from nothing by Ray's real autoscaler, on its fake nodes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.e2e.ray_nodes import ROOT, Cluster, cluster

HEAD_ID = "f" * 51 + "00000"
HEAD_NAMES = ("RAY_CLOUD_INSTANCE_ID", "RAY_OVERRIDE_NODE_ID_FOR_TESTING")
HEAD_TYPE = "ray.head.default"  # the name that the provider knows
PROVIDER = "ray.autoscaler._private.fake_multi_node.node_provider.FakeMultiNodeProvider"


@contextmanager
def growing_cluster(most: int, *, v2: bool) -> Iterator[Cluster]:
    """A head without CPUs whose autoscaler starts up to `most` nodes of one CPU."""
    environment = {
        "AUTOSCALER_UPDATE_INTERVAL_S": "1",
        "RAY_FAKE_CLUSTER": "1",
        "RAY_enable_autoscaler_v2": "1" if v2 else "0",
        "PYTHONPATH": str(ROOT),
    }
    of_head = dict.fromkeys(HEAD_NAMES, HEAD_ID) if v2 else {}
    with cluster(**environment, **of_head) as made:
        file = made.folder / "autoscaler.json"
        file.write_text(json.dumps(_configuration(made, most, v2=v2)))
        made.start_head("--num-cpus=0", "--num-gpus=0", f"--autoscaling-config={file}")
        for name in of_head:  # a node that joins by hand has a name of its own
            del made.env[name]
        yield made


def _configuration(made: Cluster, most: int, *, v2: bool) -> dict[str, Any]:
    provider = {
        "type": "external",
        "module": PROVIDER,
        "use_node_id_as_ip": True,
        "disable_node_updaters": True,
        "disable_launch_config_check": True,
        "gcs_address": made.address,
    }
    if v2:
        provider |= {"launch_multiple": True, "head_node_id": HEAD_ID}
    worker = {"resources": {"CPU": 1}, "node_config": {}, "min_workers": 0, "max_workers": most}
    lists = (
        "initialization_commands", "setup_commands", "head_setup_commands",
        "worker_setup_commands", "head_start_ray_commands", "worker_start_ray_commands",
        "cluster_synced_files", "rsync_exclude", "rsync_filter",
    )  # fmt: skip
    return {
        "cluster_name": "fake",
        "max_workers": most,
        "upscaling_speed": 1.0,
        "idle_timeout_minutes": 0.1,
        "provider": provider,
        "head_node_type": HEAD_TYPE,
        "available_node_types": {
            HEAD_TYPE: {"resources": {"CPU": 0}, "node_config": {}, "max_workers": 0},
            "worker": worker,
        },
        **{name: [] for name in lists},
        "file_mounts": {},
        "file_mounts_sync_continuously": False,
        "docker": {},
        "auth": {},
    }
