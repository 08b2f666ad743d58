"""What an autoscaling cluster may grow to, read from the configuration of its autoscaler.

Ray keeps that from its drivers, but for managed clusters. It is known on the head: as the file
that the autoscaler was started with, or, on Kubernetes, from the RayCluster.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import ray
import yaml
from ray.exceptions import RayError

from prunetune.tune.ray import cluster
from prunetune.tune.resources import NO_GROWTH, GrowthLimit, NodeType

_log = logging.getLogger(__name__)
_PATIENCE_S = 120
_OPTION, _GCS = "--autoscaling-config=", "--gcs-address="
_NAMESPACE = Path("/", "var", "run", "secrets", "kubernetes.io", "serviceaccount", "namespace")


def growth_limit() -> GrowthLimit:
    """How far the cluster's autoscaler may grow it; NO_GROWTH without an autoscaler.

    A task on the head reads that, because the driver may be elsewhere.
    """
    read = ray.remote(max_retries=2, **cluster.on_head())(_configuration)
    try:
        return growth_in(ray.get(read.remote(), timeout=_PATIENCE_S))
    except (RayError, OSError, yaml.YAMLError) as error:
        reason = str(error).strip().partition("\n")[0]
        _log.warning("cannot tell how far the cluster may grow: %s", reason)
        return NO_GROWTH


def growth_in(configuration: Mapping[str, Any] | None) -> GrowthLimit:
    """How far an autoscaler of this configuration may grow its cluster."""
    if not configuration:
        return NO_GROWTH
    kinds = configuration.get("available_node_types") or {}
    bounds = {
        name: kind.get("max_workers", configuration.get("max_workers", 0))
        for name, kind in kinds.items()
        if name != configuration.get("head_node_type") or "max_workers" in kind
    }
    types = tuple(
        NodeType(dict(kinds[name].get("resources") or {}), most)
        for name, most in bounds.items()
        if most > 0
    )
    return GrowthLimit(types, configuration.get("max_workers", sum(bounds.values())))


def _configuration() -> dict[str, Any] | None:
    """The configuration of the autoscaler on this machine or in this pod; None if there is none."""
    port = ray.get_runtime_context().gcs_address.rpartition(":")[2]
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        words: list[str] = []
        with suppress(OSError):  # the process has ended, or is another user's
            words = file.read_bytes().decode(errors="replace").split("\0")
        paths = [word.removeprefix(_OPTION) for word in words if word.startswith(_OPTION)]
        if paths and any(w.startswith(_GCS) and w.endswith(f":{port}") for w in words):
            read: dict[str, Any] = yaml.safe_load(Path(paths[0]).expanduser().read_text())
            return read
    return _on_kubernetes()


def _on_kubernetes() -> dict[str, Any] | None:
    """The configuration that Ray's own autoscaler would make of this pod's RayCluster."""
    name = os.environ.get("RAY_CLUSTER_NAME")
    if name is None or not _NAMESPACE.exists():
        return None
    from ray.autoscaler._private.kuberay import autoscaling_config as kuberay

    kuberay.MAX_RAYCLUSTER_FETCH_TRIES = 1
    try:
        produced: dict[str, Any] = kuberay.AutoscalingConfigProducer(name, _NAMESPACE.read_text())()
    except Exception:  # the pod may not be allowed to read it; a cluster without autoscaler
        return None
    return produced
