"""Nodes that are about to be taken away: their trials move after the epoch that they are in."""

from __future__ import annotations

import logging
import time
from typing import Any

import ray
from ray._private.state import state
from ray.tune.experiment import Trial

from prunetune.tune.faults import Fault

_log = logging.getLogger(__name__)
NODE = "node"
"""Key of a result: the node on which the trial runs."""
_LOOK_S = 2.0


class LeavingNodes:
    """Ends the workers of nodes that Ray drains, as soon as they have reported an epoch.

    A cloud gives notice, of two minutes or half of one, before it takes a spot machine back. Ray
    then starts nothing more there, but lets what runs go on until it is lost.
    """

    def __init__(self) -> None:
        self._looked = -_LOOK_S
        self._nodes: frozenset[str] = frozenset()
        self._moved: set[str] = set()

    def move(self, trial: Trial, result: dict[str, Any]) -> None:
        """End the trial's worker if its node is leaving; its checkpoint lies in the storage."""
        if result.get(NODE) not in self._leaving() or trial.trial_id in self._moved:
            return
        actor = trial.temporary_state.ray_actor
        if actor is not None:
            self._moved.add(trial.trial_id)
            _log.info("trial %s moves: its node is about to be taken away", trial.config["key"])
            ray.kill(actor)

    def fault_of(self, trial: Trial) -> Fault | None:
        """Why a trial broke off, if we ended its worker."""
        if trial.trial_id not in self._moved:
            return None
        return Fault("its node was about to be taken away", "", preempted=True)

    def _leaving(self) -> frozenset[str]:
        now = time.monotonic()
        if now - self._looked >= _LOOK_S:
            self._looked = now
            self._nodes = frozenset(state.get_draining_nodes())
        return self._nodes
