"""Divides a cluster among trials: CPUs and GPUs of each, and how many run at a time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

TRIALS_PER_GPU = 4
"""Upper limit for `gpus: auto`. Small networks leave a GPU idle between kernels, so they share."""

Node = Mapping[str, float]
"""Resources of one node by Ray's names: `{"CPU": 16.0, "GPU": 1.0}`."""


class ResourceError(ValueError):
    """A trial asks for more than any node of the cluster has."""

    exit_code = 2


@dataclass(frozen=True)
class TrialShare:
    """Resources of one trial, and the number of trials at a time."""

    cpus: float
    gpus: float
    slots: int

    @property
    def threads(self) -> int:
        """Threads that a trial computes with."""
        return max(1, int(self.cpus))

    @property
    def device(self) -> str:
        """Device for `run_trial`; a trial without a share of a GPU must not use a visible one."""
        return "auto" if self.gpus else "cpu"


def share(resources: Mapping[str, Any], nodes: Sequence[Node]) -> TrialShare:
    """The share of each trial on a cluster of `nodes`.

    `gpus: auto` divides each GPU among the trials that its CPUs allow, at most TRIALS_PER_GPU.
    `max_concurrent: auto` runs as many trials as fit. An autoscaling cluster with no CPUs yet does
    not say how far it may grow, so both must be numbers there.

    Raises:
        ResourceError: no node can hold a trial, or `auto` cannot be worked out.
    """
    cpus = resources.get("cpus", 1)
    wanted = resources.get("gpus", "auto")
    limit = resources.get("max_concurrent", "auto")
    if not any(node.get("CPU") for node in nodes):
        if "auto" in (wanted, limit):
            raise ResourceError(
                "no node of the cluster has CPUs yet; if it will grow, say how far: write "
                "numbers for resources.max_concurrent and resources.gpus"
            )
        return TrialShare(cpus, wanted, limit)
    gpus = _auto_gpus(cpus, limit, nodes) if wanted == "auto" else wanted
    fit = sum(_fit(cpus, gpus, node) for node in nodes)
    if fit == 0:
        raise ResourceError(_refusal(cpus, gpus, nodes))
    return TrialShare(cpus, gpus, fit if limit == "auto" else limit)


def _auto_gpus(cpus: float, limit: int | str, nodes: Sequence[Node]) -> float:
    hosts = [node for node in nodes if node.get("GPU", 0) >= 1 and node.get("CPU", 0) >= cpus]
    total = sum(node["GPU"] for node in hosts)
    if not total:
        return 0.0
    trials = sum(node["CPU"] // cpus for node in hosts)
    if limit != "auto":
        trials = min(trials, float(limit))
    per_gpu = min(TRIALS_PER_GPU, math.ceil(trials / total))
    return math.floor(1e4 / per_gpu) / 1e4  # Ray counts in ten-thousandths


def _fit(cpus: float, gpus: float, node: Node) -> int:
    by_cpu = int(node.get("CPU", 0) / cpus + 1e-9)
    return min(by_cpu, int(node.get("GPU", 0) / gpus + 1e-3)) if gpus else by_cpu


def _refusal(cpus: float, gpus: float, nodes: Sequence[Node]) -> str:
    most_gpus = max((node.get("GPU", 0.0) for node in nodes), default=0.0)
    if gpus > most_gpus:
        allowed = f"{most_gpus:g} or less" if most_gpus else "0 or auto"
        return (
            f"resources.gpus: {gpus:g} per trial, but no node of the cluster has more than "
            f"{most_gpus:g}; write {allowed}"
        )
    most_cpus = max((node.get("CPU", 0.0) for node in nodes), default=0.0)
    beside = f" beside {gpus:g} GPUs" if gpus else ""
    return (
        f"resources.cpus: {cpus:g} per trial{beside}, but no node of the cluster has more than "
        f"{most_cpus:g}; write {most_cpus:g} or less"
    )
