"""A node whose helpers are late is stopped until they are there."""

import shutil
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from prunetune.tune.ray import late_agents

NODE = """
import subprocess, sys, time
helpers = [subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) for _ in "ab"]
time.sleep(60)
"""


@pytest.fixture
def parent(tmp_path):
    """A process whose child looks like Ray's node, with two helpers that do nothing."""
    raylet = tmp_path / "raylet"
    raylet.symlink_to(sys.executable)
    command = [str(raylet), "-c", NODE, f"--session_dir={tmp_path}", "--node_id=abc"]
    script = f"import subprocess; input(); subprocess.Popen({command!r}).wait()"
    process = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, text=True)
    yield process
    for child in psutil.Process(process.pid).children(recursive=True):
        child.kill()
    process.kill()
    process.wait()
    shutil.rmtree(tmp_path)


def begin(parent: subprocess.Popen[str]) -> None:
    assert parent.stdin is not None
    print(file=parent.stdin, flush=True)


def node_of(parent: subprocess.Popen[str]) -> psutil.Process | None:
    nodes = psutil.Process(parent.pid).children()
    return nodes[0] if nodes else None


def wait_for(status: str, parent: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 30
    while (node := node_of(parent)) is None or node.status() != status:
        assert time.monotonic() < deadline, node and node.status()
        time.sleep(0.05)


def test_a_node_is_stopped_while_its_helpers_are_late(parent, tmp_path, monkeypatch):
    monkeypatch.setattr(late_agents, "LATE_S", 0.2)
    with late_agents.awaited(parent.pid):
        begin(parent)
        wait_for(psutil.STATUS_STOPPED, parent)
        for port in late_agents._PORTS:
            Path(tmp_path / f"{port}_abc").write_text("1")
        wait_for(psutil.STATUS_SLEEPING, parent)


def test_a_block_that_ends_leaves_no_node_stopped(parent, monkeypatch):
    monkeypatch.setattr(late_agents, "LATE_S", 0.0)
    with late_agents.awaited(parent.pid):
        begin(parent)
        wait_for(psutil.STATUS_STOPPED, parent)
    wait_for(psutil.STATUS_SLEEPING, parent)
