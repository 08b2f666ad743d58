"""Starts Ray on this machine or joins a cluster, and keeps Ray's messages in a file."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any, TextIO

import ray

from prunetune.tune.resources import Node

PATIENCE_S = 60
"""How long a cluster may take to answer. Ray itself would wait for minutes, or for ever."""
_TOO_SLOW = "Starting Ray client server failed"
_QUIET = {
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # we have our own
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
}
_OBJECT_STORE_BYTES = 100_000_000
"""Enough for reports, the only objects that we store; Ray's default is a third of the memory."""
PROBE = """
import sys, ray
ray.init(address=sys.argv[1], log_to_driver=False, logging_level="ERROR")
ray.nodes()
"""


class ClusterError(ConnectionError):
    """The Ray cluster does not answer or refuses us, or Ray does not start on this machine."""


@contextmanager
def connected(address: str | None, log: Path) -> Iterator[None]:
    """Ray for the block: the cluster at `address`, or a local one if None.

    A Ray that this process has already started is used and left running. Messages of Ray's
    processes go to `log`, not to the console.

    Raises:
        ClusterError: the cluster does not answer or refuses us, or no local one starts.
    """
    os.environ.update({name: os.environ.get(name, value) for name, value in _QUIET.items()})
    log.parent.mkdir(parents=True, exist_ok=True)
    ours = not ray.is_initialized()
    with log.open("a", buffering=1) as file, _listener_redirected(file):
        if ours:
            with _sigterm_restored():
                _start() if address is None else _join(address)
            _send_to(file)
        try:
            yield
        finally:
            if ours:
                with redirect_stdout(file):  # messages that its deduplication held back
                    ray.shutdown()


def nodes() -> list[Node]:
    """Resources of every node that is alive."""
    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


def _start() -> None:
    try:
        ray.init(
            address="local",  # the default looks for a cluster that may be long gone
            include_dashboard=False,
            log_to_driver=False,
            logging_level="ERROR",
            object_store_memory=_OBJECT_STORE_BYTES,
        )
    except Exception as error:  # a machine that is too busy gives a bare Exception
        reason = str(error).strip().partition("\n")[0]
        raise ClusterError(f"Ray did not start on this machine: {reason}") from error


def _join(address: str) -> None:
    """Connect; try twice if a busy head was too slow to start the client's server."""
    try:
        try:
            _connect(address)
        except (ConnectionError, RuntimeError) as error:
            if _TOO_SLOW not in str(error):
                raise
            _connect(address)
    except (ConnectionError, RuntimeError) as error:
        raise ClusterError(_refusal(address, str(error))) from error


def _connect(address: str) -> None:
    """Connect after a probe: only a process of its own can be ended while Ray hangs."""
    command = [sys.executable, "-c", PROBE, address]
    try:
        probe = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            start_new_session=True,  # this process handles Ctrl-C
        )
    except subprocess.TimeoutExpired:
        raise ConnectionError(f"no answer within {PATIENCE_S} s") from None
    if probe.returncode != 0:
        raise ConnectionError(probe.stderr.strip().rpartition("\n")[2])
    ray.init(address=address, log_to_driver=False, logging_level="ERROR")


def _refusal(address: str, reason: str) -> str:
    return (
        f"cannot connect to a Ray cluster at {address}: {reason}; is the address right, and do "
        "RAY_AUTH_MODE and RAY_AUTH_TOKEN_PATH name the cluster's token?"
    )


def _send_to(file: TextIO) -> None:
    """Let Ray's Python loggers write to `file`."""
    logger = logging.getLogger("ray")
    logger.handlers = [logging.StreamHandler(file)]
    logger.propagate = False


@contextmanager
def _sigterm_restored() -> Iterator[None]:
    """Restore our handler of SIGTERM, which `ray.init` replaces."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _listener_redirected(file: TextIO) -> Iterator[None]:
    """Redirect what Ray's listener thread prints to `file`, and nothing else."""
    with redirect_stdout(_ByThread(sys.stdout, file)):
        yield


class _ByThread:
    """A stream that is `file` in Ray's listener thread and `console` in every other thread."""

    def __init__(self, console: TextIO, file: TextIO) -> None:
        self._console, self._file = console, file

    def __getattr__(self, name: str) -> Any:
        listener = threading.current_thread().name == "ray_listen_error_messages"
        return getattr(self._file if listener else self._console, name)
