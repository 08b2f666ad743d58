"""Lets Ray's node wait for its helpers on a busy machine.

The node (Ray's raylet) starts two helpers in Python, looks 15 s for the files in which they write
their ports, and dies if one is late. No setting of Ray's changes that limit. So a node whose
helpers are late is stopped until the files are there; when it goes on, it finds them at once.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from prunetune.tune.ray.waiting import beside

LATE_S = 6.0
"""Helpers that need longer are late; on a machine at rest they need one or two."""
_PATIENCE_S = 90.0
_POLL_S = 0.2
_PORTS = (
    "metrics_agent_port",
    "metrics_export_port",
    "dashboard_agent_listen_port",
    "runtime_env_agent_port",
)


@contextmanager
def awaited(parent: int) -> Iterator[None]:
    """Stop a node that process `parent` starts in the block for as long as its helpers are late."""
    with beside(lambda done: _attend(parent, done)):
        yield


def children(pid: int) -> set[int]:
    """The child processes of a process, as far as the system tells."""
    pids: set[int] = set()
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):  # the thread has ended
            pids.update(int(child) for child in file.read_text().split())
    return pids


def _attend(parent: int, done: threading.Event) -> None:
    before = children(parent)
    node = None
    while node is None and not done.wait(_POLL_S):
        started = children(parent) - before
        node = next((pid for pid in started if len(children(pid)) >= 2 and _ports(pid)), None)
    if node is None or done.wait(LATE_S) or not _missing(node):
        return
    with suppress(ProcessLookupError):
        os.kill(node, signal.SIGSTOP)
        deadline = time.monotonic() + _PATIENCE_S
        while _missing(node) and time.monotonic() < deadline and not done.wait(_POLL_S):
            pass
        os.kill(node, signal.SIGCONT)


def _missing(node: int) -> bool:
    return not all(file.exists() for file in _ports(node))


def _ports(node: int) -> list[Path]:
    """The files that the node waits for, from the words of its command; none if it is no node."""
    try:
        words = Path(f"/proc/{node}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return []
    options = dict(word.lstrip("-").split("=", 1) for word in words if "=" in word)
    folder = options.get("session_dir", options.get("session-dir"))
    name = options.get("node_id", options.get("node-id"))
    if Path(words[0]).name != "raylet" or folder is None or name is None:
        return []
    return [Path(folder) / f"{port}_{name}" for port in _PORTS]
