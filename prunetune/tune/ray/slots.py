"""How many trials may run at a time: follows the cluster while nodes come and go."""

from __future__ import annotations

import logging
import time
from typing import Any

from prunetune.tune.gpu_shares import GpuShares
from prunetune.tune.ray import cluster
from prunetune.tune.resources import GrowthLimit, TrialShare, slots

_log = logging.getLogger(__name__)
_LOOK_S = 5.0
"""How long a look at the cluster's nodes serves."""
_WORDS_S = 300.0
"""After so long without room for any trial, and then again, the user is told."""


class Slots:
    """Counts the slots of the cluster anew every few seconds."""

    def __init__(self, limit: int | str, shares: GpuShares, growth: GrowthLimit) -> None:
        self._limit, self._shares, self._growth = limit, shares, growth
        self._slots = 1
        self._looked = -_LOOK_S
        self._room = time.monotonic()

    def __call__(self) -> int:
        """The number of trials that may run, or wait for a node, at this moment."""
        now = time.monotonic()
        if now - self._looked >= _LOOK_S:
            self._looked = now
            nodes = cluster.nodes()
            part = self._shares.largest()
            self._slots = slots(self._limit, part, nodes, self._growth)
            self._tell(now, part, room=bool(part.fit(nodes)))
        return self._slots

    def _tell(self, now: float, part: TrialShare, *, room: bool) -> None:
        if room:
            self._room = now
        elif now - self._room >= _WORDS_S:
            self._room = now
            wanted: dict[str, Any] = {"CPUs": part.cpus, "GPUs": part.gpus}
            words = " and ".join(f"{count:g} {name}" for name, count in wanted.items() if count)
            _log.warning(
                "no node of the cluster has had %s for a trial in the last %.0f minutes; trials "
                "wait for one (`ray status` shows what the cluster is doing)",
                words,
                _WORDS_S / 60,
            )
