"""Starts Ray on this machine or joins a cluster, and keeps Ray's messages in a file."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout
from pathlib import Path
from typing import Any, TextIO

import ray
from ray._private.state import state
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from prunetune.tune.ray import local
from prunetune.tune.ray.join import joined
from prunetune.tune.ray.token import own_token
from prunetune.tune.resources import Node

_QUIET = {
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "TUNE_GLOBAL_CHECKPOINT_S": "1e9",  # of all trials again and again; records are our state
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # we have our own
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
}
_HEAD = "node:__internal_head__"


@contextmanager
def connected(
    address: str | None, log: Path, runtime_env: dict[str, Any] | None = None
) -> Iterator[None]:
    """Ray for the block: the cluster at `address`, or a local one if None.

    `runtime_env` is what a cluster's workers get; those of this machine have it.
    A Ray that this process has already started is used and left running. Messages of Ray's
    processes go to `log`, not to the console.

    Raises:
        AddressError: the address is none.
        ClusterError: the cluster does not answer or refuses us, or no local one starts.
    """
    os.environ.update({name: os.environ.get(name, value) for name, value in _QUIET.items()})
    log.parent.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        file = stack.enter_context(log.open("a", buffering=1))
        stack.enter_context(_listener_redirected(file))
        if not ray.is_initialized():
            with _sigterm_restored():
                stack.enter_context(_started() if address is None else joined(address, runtime_env))
            _send_to(file)
            stack.callback(_shut_down, file)
        yield


@contextmanager
def _started() -> Iterator[None]:
    """A Ray of this machine, guarded by a token of its own."""
    with own_token():
        local.start()
        yield


def _shut_down(file: TextIO) -> None:
    with redirect_stdout(file):  # messages that its deduplication held back
        ray.shutdown()


def is_shared() -> bool:
    """Whether this process has joined a cluster, which may grow, and did not start Ray itself."""
    node = ray._private.worker._global_node
    return node is None or not node.head


def on_head() -> dict[str, Any]:
    """Options of a task that must run on the head; an autoscaler may remove any other node.

    The task asks for the node itself and for no resource of it: an autoscaler that sees such a
    demand wait for a moment starts a second head.
    """
    head = next(n["NodeID"] for n in ray.nodes() if n["Alive"] and _HEAD in n["Resources"])
    return {"num_cpus": 0, "scheduling_strategy": NodeAffinitySchedulingStrategy(head, soft=False)}


def nodes() -> list[Node]:
    """Resources of every node that is alive and is not about to be taken away."""
    leaving = state.get_draining_nodes()
    return [
        node["Resources"] for node in ray.nodes() if node["Alive"] and node["NodeID"] not in leaving
    ]


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
