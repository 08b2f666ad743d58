"""Starts Ray on this machine, with patience: a busy machine is no reason to give up."""

from __future__ import annotations

import logging
import os
import signal
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import ray
from ray._raylet import Config  # type: ignore[attr-defined]

from prunetune.tune.ray.errors import ClusterError
from prunetune.tune.ray.late_agents import awaited, children
from prunetune.tune.ray.waiting import busy_words, told

_log = logging.getLogger(__name__)
TRIES = 3
_OBJECT_STORE_BYTES = 100_000_000
"""Enough for reports, the only objects that we store; Ray's default is a third of the memory."""
_SHORT_FOLDER = str(Path("/", "tmp", "ray"))
_LONGEST_FOLDER = 40
"""Longer folders give names of sockets that the system refuses (107 bytes)."""


def start(**options: Any) -> None:
    """Start Ray here, with further options of `ray.init`.

    A node of Ray's whose helpers are late is made to wait for them. Another try finds all files in
    memory, so a few tries help.

    Raises:
        ClusterError: Ray did not start in any of them.
    """
    os.environ.update({name: os.environ.get(name, value) for name, value in settings().items()})
    Config.initialize("")  # this process has read its settings when Ray was imported
    reason = ""
    for number in range(1, TRIES + 1):
        _log.info("starting Ray on this machine")
        begun, before = time.monotonic(), children(os.getpid())
        try:
            with told("waiting for Ray to start on this machine"), awaited(os.getpid()):
                _init(**options)
            return
        except Exception as error:  # a machine that is too busy gives a bare Exception
            reason = str(error).strip().partition("\n")[0]
            _end(children(os.getpid()) - before)
        if number < TRIES:
            seconds = time.monotonic() - begun
            words = f"Ray did not start within {seconds:.0f} s{busy_words()}"
            _log.warning("%s; trying again (%d of %d)", words, number + 1, TRIES)
    raise ClusterError(
        f"Ray did not start on this machine in {TRIES} tries: {reason}{busy_words()}; the same "
        "command starts or continues the sweep when the machine is less busy"
    )


def settings() -> dict[str, str]:
    """Ray's own settings for slow machines; what the user has set is kept."""
    return {
        "RAY_agent_register_timeout_ms": "300000",
        "RAY_worker_register_timeout_seconds": "600",
        # Ray's driver waits so long for its node, also for one that has died.
        "RAY_raylet_start_wait_time_s": "120",
        # By default trials are nicer (15) than all else: on a busy machine they would starve.
        "RAY_worker_niceness": str(os.nice(0)),
    }


def _init(**options: Any) -> None:
    folder = tempfile.gettempdir()
    ray.init(
        address="local",  # the default looks for a cluster that may be long gone
        include_dashboard=False,
        log_to_driver=False,
        logging_level="ERROR",
        object_store_memory=_OBJECT_STORE_BYTES,
        _temp_dir=_SHORT_FOLDER if len(folder) > _LONGEST_FOLDER else None,
        **options,
    )


def _end(pids: set[int]) -> None:
    """End what a failed start left behind."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
