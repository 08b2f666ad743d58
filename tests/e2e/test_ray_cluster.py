"""A sweep on a cluster of two nodes, guarded by a token, with one simulated GPU each."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from prunetune.agenda import counts
from prunetune.records.store import Store
from prunetune.tune.ray import cluster
from tests.tune.fakes import make_plan

ROOT = Path(__file__).parents[2]
RAY = Path(sys.executable).parent / "ray"
PATIENCE_S = 120


@dataclass
class Cluster:
    port: int
    client_port: int
    env: dict[str, str]


def free_port(low: int) -> int:
    for port in range(low, low + 1000):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise OSError("no free port")


def start_node(env: dict[str, str], log: Path, *options: str) -> subprocess.Popen:
    process = subprocess.Popen(
        [RAY, "start", "--block", "--num-cpus=1", "--num-gpus=1",
         "--object-store-memory=100000000", "--disable-usage-stats", *options],
        cwd=ROOT, env=env, stdout=log.open("w"), stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip
    deadline = time.monotonic() + PATIENCE_S
    while "Ray runtime started" not in log.read_text():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.2)
    return process


def stop_node(process: subprocess.Popen) -> None:
    """Only what belongs to this node: `ray stop` would end every Ray of the machine."""
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(20)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def nodes() -> Iterator[Cluster]:
    folder = Path(tempfile.mkdtemp(prefix="rc-"))  # short: sockets have short names
    token = folder / "token"
    token.touch(mode=0o600)
    token.write_text(secrets.token_hex(32))
    auth = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token)}
    found = Cluster(free_port(6500), free_port(26500), {**os.environ, **auth})
    started = []
    try:
        head = start_node(
            found.env, folder / "head.log", "--head", f"--port={found.port}",
            f"--ray-client-server-port={found.client_port}", "--include-dashboard=false",
            "--node-ip-address=127.0.0.1", f"--temp-dir={folder}",
        )  # fmt: skip
        started.append(head)
        address = f"--address=127.0.0.1:{found.port}"
        started.append(start_node(found.env, folder / "worker.log", address))
        yield found
    finally:
        for process in reversed(started):
            stop_node(process)
        shutil.rmtree(folder, ignore_errors=True)


def sweep(*words: object, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.e2e.ray_sweep", *map(str, words)],
        cwd=ROOT, env=env, capture_output=True, text=True, timeout=PATIENCE_S,
    )  # fmt: skip


def part_beside(folder: Path, content: str = "") -> Path:
    """A plug-in module in a folder that no node of the cluster has on its path."""
    module = folder / "beside" / "part_beside.py"
    module.parent.mkdir()
    module.write_text(content)
    return module


@pytest.mark.parametrize("client", [False, True], ids=["direct", "ray://"])
def test_trials_run_on_both_nodes_with_half_a_gpu_each(nodes, tmp_path, client):
    address = f"ray://127.0.0.1:{nodes.client_port}" if client else f"127.0.0.1:{nodes.port}"
    done = sweep(tmp_path, address, part_beside(tmp_path), env=nodes.env)
    assert done.returncode == 0, done.stdout + done.stderr
    records = Store(tmp_path, "fake").records().values()
    assert len(records) == counts(make_plan(trials=4)).total.total
    assert len({r.departures["node"] for r in records}) == 2
    assert {r.departures["gpus"] for r in records} == {"0"}
    assert len(done.stdout.splitlines()) == len(records)


def test_an_error_of_ours_arrives_as_itself_through_rays_client(nodes, tmp_path):
    plugin = part_beside(tmp_path, "raise ImportError('no such\\nlibrary')")
    ended = sweep(tmp_path, f"ray://127.0.0.1:{nodes.client_port}", plugin, env=nodes.env)
    cause = "plug-in 'part_beside' cannot be imported: ImportError: no such library"
    assert (ended.returncode, ended.stderr) == (2, f"prunetune: {cause}\n")
    assert not Store(tmp_path, "fake").records()


def test_a_wrong_token_is_refused_within_bounds(nodes, tmp_path, monkeypatch):
    wrong = tmp_path / "token"
    wrong.write_text("wrong")
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(wrong))
    monkeypatch.setattr(cluster, "PATIENCE_S", 6)
    refused = pytest.raises(cluster.ClusterError, match="RAY_AUTH_TOKEN_PATH")
    with refused, cluster.connected(f"127.0.0.1:{nodes.port}", tmp_path / "ray.log"):
        pass


def test_an_address_without_a_cluster_is_refused_within_bounds(tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "PATIENCE_S", 6)
    address = f"127.0.0.1:{free_port(27500)}"
    refused = pytest.raises(cluster.ClusterError, match=address)
    with refused, cluster.connected(address, tmp_path / "ray.log"):
        pass
