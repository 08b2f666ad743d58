"""Ray nodes as processes of this machine: a head with or without an autoscaler, workers, deaths.

Nothing here calls `ray stop`, nor Ray's AutoscalingCluster, which does: they end every Ray of the
machine.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import grpc
import psutil
from ray.core.generated import (
    autoscaler_pb2,
    autoscaler_pb2_grpc,
    gcs_service_pb2,
    gcs_service_pb2_grpc,
)

from prunetune.tune.ray.late_agents import awaited
from prunetune.tune.ray.local import settings

ROOT = Path(__file__).parents[2]
RAY = Path(sys.executable).parent / "ray"
PATIENCE_S = 400  # only a failure takes so long, or a machine that is very busy
TRIES = 3


def free_port(low: int) -> int:
    first = low + os.getpid() % 900  # another run of the tests may look for one, too
    for port in range(first, low + 1000):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise OSError("no free port")


def wait_until(holds: Callable[[], object], what: str, patience: float = PATIENCE_S) -> float:
    """Wait; the seconds that it took."""
    start = time.monotonic()
    while not holds():
        assert time.monotonic() - start < patience, f"not within {patience} s: {what}"
        time.sleep(0.2)
    return time.monotonic() - start


@dataclass
class Cluster:
    """A head and what has joined it, all of them in `folder`, with a token of their own."""

    folder: Path
    env: dict[str, str]
    port: int = field(default_factory=lambda: free_port(6500))
    client_port: int = field(default_factory=lambda: free_port(26500))
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def client_address(self) -> str:
        return f"ray://127.0.0.1:{self.client_port}"

    def start_head(self, *options: str) -> None:
        self._start(
            "head", "--head", f"--port={self.port}",
            f"--ray-client-server-port={self.client_port}", "--include-dashboard=false",
            "--node-ip-address=127.0.0.1", f"--temp-dir={self.folder}", *options,
        )  # fmt: skip

    def start_worker(self, *options: str) -> None:
        self._start(f"worker{len(self.started)}", f"--address={self.address}", *options)

    def _start(self, name: str, *options: str) -> None:
        """Start a node; try again where the machine was too busy for Ray's limit of 15 s."""
        for n in range(TRIES):
            log = self.folder / f"{name}-{n}.log"
            process = self._begin(log, *options)
            with awaited(process.pid):
                wait_until(partial(_started_or_ended, process, log), f"{name} runs")
            if process.poll() is None:
                self.started.append(process)
                return
            _end(process)
            assert "timed out during startup" in log.read_text(), log.read_text()
        raise AssertionError(log.read_text())

    def _begin(self, log: Path, *options: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [RAY, "start", "--block", "--object-store-memory=100000000", "--disable-usage-stats",
             *options],
            cwd=ROOT, env=self.env, stdout=log.open("w"), stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip

    def stop(self) -> None:
        for process in reversed(self.started):
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(20)
            _end(process)

    def nodes(self, state: str = "ALIVE") -> list[str]:
        """The nodes that Ray itself reports alive, or dead, without the head; oldest first."""
        request = gcs_service_pb2.GetAllNodeInfoRequest()
        with self._channel() as channel:
            stub = gcs_service_pb2_grpc.NodeInfoGcsServiceStub(channel)
            reply = stub.GetAllNodeInfo(request, timeout=20, metadata=self._token())
        wanted = {"ALIVE": 0, "DEAD": 1}[state]
        found = [n for n in reply.node_info_list if n.state == wanted and not n.is_head_node]
        return [n.node_id.hex() for n in sorted(found, key=lambda n: n.start_time_ms)]

    def drain(self, node: str, seconds: float) -> None:
        """Tell Ray that the node will be taken away, as clouds do with spot machines."""
        request = autoscaler_pb2.DrainNodeRequest(
            node_id=bytes.fromhex(node),
            reason=autoscaler_pb2.DrainNodeReason.DRAIN_NODE_REASON_PREEMPTION,
            reason_message="spot machine is wanted back",
            deadline_timestamp_ms=int((time.time() + seconds) * 1000),
        )
        with self._channel() as channel:
            stub = autoscaler_pb2_grpc.AutoscalerStateServiceStub(channel)
            reply = stub.DrainNode(request, timeout=20, metadata=self._token())
        assert reply.is_accepted, reply

    def kill(self, node: str) -> None:
        """Kill a node and wait until Ray reports it dead.

        The raylet alone would not do: its workers train on, and Ray still calls the node alive. A
        node that was told to leave ends by itself as soon as nothing runs on it.
        """
        raylet = raylet_of(node)
        for process in [raylet, *raylet.children(recursive=True)] if raylet else []:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        wait_until(lambda: node in self.nodes("DEAD"), f"node {node} is dead")

    def _channel(self) -> grpc.Channel:
        return grpc.insecure_channel(self.address, options=[("grpc.enable_http_proxy", 0)])

    def _token(self) -> tuple[tuple[str, str]]:
        return (("authorization", f"Bearer {Path(self.env['RAY_AUTH_TOKEN_PATH']).read_text()}"),)


def _started_or_ended(process: subprocess.Popen[bytes], log: Path) -> bool:
    return process.poll() is not None or "Ray runtime started" in log.read_text()


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the process and all that it has started: they are a group."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def raylet_of(node: str) -> psutil.Process | None:
    """The process that is the node; None if it has ended."""
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or [""]
        if words[0].endswith("raylet") and f"--node_id={node}" in words:
            return process
    return None


@contextmanager
def cluster(**environment: str) -> Iterator[Cluster]:
    """A cluster without nodes; whatever it starts ends with the block."""
    folder = Path(tempfile.mkdtemp(prefix="rc-", dir="/tmp"))  # short: sockets have short names
    token = folder / "token"
    token.touch(mode=0o600)
    token.write_text(secrets.token_hex(32))
    auth = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token)}
    made = Cluster(folder, {**os.environ, **settings(), **auth, **environment})
    try:
        yield made
    finally:
        made.stop()
        shutil.rmtree(folder, ignore_errors=True)
