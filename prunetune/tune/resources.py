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
class NodeType:
    """A kind of nodes that an autoscaler may start: their resources, and how many at most."""

    resources: Node
    most: int


@dataclass(frozen=True)
class GrowthLimit:
    """How far an autoscaler may grow its cluster."""

    types: tuple[NodeType, ...] = ()
    most: int = 0
    """The number of all nodes that it may start."""


NO_GROWTH = GrowthLimit()


@dataclass(frozen=True)
class TrialShare:
    """Resources of one trial."""

    cpus: float
    gpus: float

    @property
    def threads(self) -> int:
        """Threads that a trial computes with."""
        return max(1, int(self.cpus))

    @property
    def device(self) -> str:
        """Device for `run_trial`; a trial without a share of a GPU must not use a visible one."""
        return "auto" if self.gpus else "cpu"

    def fit(self, nodes: Sequence[Node]) -> int:
        """How many trials fit on the nodes at a time."""
        return sum(_fit(self.cpus, self.gpus, node) for node in nodes)

    def fit_at_most(self, growth: GrowthLimit) -> int:
        """How many trials fit on all nodes that the autoscaler may start, the largest first."""
        fits = [(_fit(self.cpus, self.gpus, t.resources), t.most) for t in growth.types]
        total, left = 0, growth.most
        for fit, most in sorted(fits, reverse=True):
            count = min(most, left)
            total, left = total + fit * count, left - count
        return total


def share(
    resources: Mapping[str, Any], nodes: Sequence[Node], growth: GrowthLimit = NO_GROWTH
) -> TrialShare:
    """The share of each trial on a cluster of `nodes`, which may grow.

    `gpus: auto` divides each GPU among the trials that its CPUs allow, at most TRIALS_PER_GPU.

    Raises:
        ResourceError: no node can hold a trial, or it is not known which nodes will come.
    """
    cpus = resources.get("cpus", 1)
    wanted = resources.get("gpus", "auto")
    limit = resources.get("max_concurrent", "auto")
    kinds = [NodeType(node, 1) for node in nodes] + list(growth.types)
    if not any(kind.resources.get("CPU") for kind in kinds):
        if "auto" in (wanted, limit):
            raise ResourceError(
                "no node of the cluster has CPUs, and its autoscaler does not say which nodes it "
                "may start; write numbers for resources.max_concurrent and resources.gpus"
            )
        return TrialShare(cpus, wanted)
    part = TrialShare(cpus, _auto_gpus(cpus, limit, kinds) if wanted == "auto" else wanted)
    if not part.fit([kind.resources for kind in kinds]):
        raise ResourceError(_refusal(cpus, part.gpus, [kind.resources for kind in kinds]))
    return part


def slots(
    limit: int | str, part: TrialShare, nodes: Sequence[Node], growth: GrowthLimit = NO_GROWTH
) -> int:
    """How many trials may run or wait for a node at a time.

    `auto` follows the cluster. If it may grow, trials wait for all that its autoscaler may start:
    they are the demand that the autoscaler sees. One more than fits now always waits, because nodes
    that joined by hand leave the autoscaler room. At least one waits for a node to come back.
    """
    if limit != "auto":
        return int(limit)
    now = part.fit(nodes)
    return max(now + 1, part.fit_at_most(growth)) if growth.types else max(now, 1)


def _auto_gpus(cpus: float, limit: int | str, kinds: Sequence[NodeType]) -> float:
    hosts = [
        kind
        for kind in kinds
        if kind.resources.get("GPU", 0) >= 1 and kind.resources.get("CPU", 0) >= cpus
    ]
    total = sum(kind.most * kind.resources["GPU"] for kind in hosts)
    if not total:
        return 0.0
    trials = sum(kind.most * (kind.resources["CPU"] // cpus) for kind in hosts)
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
