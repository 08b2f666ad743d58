"""Two sweeps at once on one cluster and one MLflow server, which is killed and started again.

    python -m experiments.benchmarks.tracking_server [--slots 8] [--away-s 20] [--out FILE]

The server keeps runs in PostgreSQL (Debian's, on loopback) and files in S3 (moto's server). Each
sweep takes half of the slots. When both have records, all processes of the MLflow server are
killed; after a while it is started again on the same port. A sweep that ended meanwhile, and said
what the server had not heard, is run once more. At the end every record must be a run, once, with
every point of its curve, and both sweeps must have said that the server was away.
"""

from __future__ import annotations

import argparse
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from prunetune.records.store import Store
from prunetune.tracking.ui import server
from prunetune.tune.ray import local
from prunetune.tune.ray.late_agents import awaited
from tests.e2e.postgresql import postgresql

ROOT = Path(__file__).parents[2]
SWEEP = ROOT / "tests" / "e2e" / "tiny.yaml"
NAMES = ("left", "right")
PATIENCE_S = 600
BUCKET = "artifacts"
COLUMNS = ("sweep", "records", "runs of trials", "missing", "twice", "not ended", "epochs recorded",
           "epochs in MLflow", "winners", "said away", "said back", "exit code")  # fmt: skip


@dataclass
class Running:
    """A sweep in a process of its own."""

    store: Store
    process: subprocess.Popen[str]
    output: Path


def main() -> int:
    """Run the two sweeps and print the table; exit code 1 if anything is missing."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--slots", type=int, default=8, help="trials at a time, of both sweeps")
    parser.add_argument("--away-s", type=float, default=20.0, help="how long the server is away")
    parser.add_argument("--out", type=Path, help="a file that takes the table")
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ts-")))
        stack.enter_context(object_store())
        database, passwords = stack.enter_context(postgresql())
        os.environ["PGPASSFILE"] = str(passwords)
        address = stack.enter_context(ray_head(folder, options.slots))
        begun = time.monotonic()
        rows = run(database, address, folder, options.slots // 2, options.away_s)
        text = table(rows, options, time.monotonic() - begun)
    print(text)
    if options.out:
        options.out.write_text(text + "\n")
    return any(row["missing"] or row["twice"] or row["not ended"] for row in rows)


def run(
    database: str, address: str, folder: Path, slots: int, away_s: float
) -> list[dict[str, Any]]:
    """The whole story; a row for each sweep."""
    with server(database, start_s=PATIENCE_S) as (base, process):
        running = [start(name, folder, address, base, slots) for name in NAMES]
        while any(e.process.poll() is None and len(e.store.records()) < 3 for e in running):
            time.sleep(0.2)
        os.killpg(process.pid, signal.SIGKILL)
    time.sleep(away_s)
    with server(database, port=int(base.rpartition(":")[2]), start_s=PATIENCE_S):
        for each in running:
            each.process.wait(PATIENCE_S)
            if "has not heard" in each.output.read_text():  # it ended while the server was away
                start(each.store.sweep, folder, address, base, slots).process.wait(PATIENCE_S)
        return [row(each, base) for each in running]


def start(name: str, folder: Path, address: str, base: str, slots: int) -> Running:
    """A sweep that runs `slots` trials at a time."""
    output = folder / f"{name}.txt"
    values = {
        "name": name,
        "tracking.uri": base,
        "search.trials": 6,
        "resources": f"{{cpus: 1, gpus: 0, max_concurrent: {slots}}}",
    }
    settings = [word for path, value in values.items() for word in ("--set", f"{path}={value}")]
    storage = folder / "runs"
    options = ["--storage", str(storage), "--address", address]
    command = [sys.executable, "-m", "prunetune.cli", "sweep", str(SWEEP), *options, *settings]
    with output.open("a") as file:
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, text=True)
    return Running(Store(storage, name), process, output)


def row(sweep: Running, base: str) -> dict[str, Any]:
    """What MLflow holds of the sweep, beside its records."""
    from mlflow import MlflowClient

    client = MlflowClient(base)
    experiment = client.get_experiment_by_name(sweep.store.sweep).experiment_id
    trials = client.search_runs([experiment], "tags.`prunetune.kind` = 'trial'", max_results=5000)
    keys = Counter(run.data.tags["prunetune.key"] for run in trials)
    records, said = sweep.store.records(), sweep.output.read_text()
    histories = [client.get_metric_history(run.info.run_id, "val_acc1") for run in trials]
    cells = (
        sweep.store.sweep, len(records), len(trials), len(records.keys() - keys.keys()),
        sum(count - 1 for count in keys.values()),
        sum(run.info.status == "RUNNING" for run in trials),
        sum(len(record.curve) for record in records.values()), sum(map(len, histories)),
        len(client.search_logged_models([experiment])), said.count("does not answer"),
        said.count("answers again"), sweep.process.returncode,
    )  # fmt: skip
    return dict(zip(COLUMNS, cells, strict=True))


def table(rows: list[dict[str, Any]], options: argparse.Namespace, seconds: float) -> str:
    """The rows as Markdown, with what was done."""
    lines = [COLUMNS, ["---"] * len(COLUMNS), *([str(v) for v in each.values()] for each in rows)]
    head = (
        f"Two sweeps at once, {options.slots} trials at a time, on one Ray cluster and one MLflow "
        f"server (PostgreSQL, moto's S3). The server was killed and stayed away for "
        f"{options.away_s:g} s and its own start. {seconds:.0f} s in all; Ray {version('ray')}, "
        f"MLflow {version('mlflow')}, {os.cpu_count()} cores, load average "
        f"{os.getloadavg()[0]:.0f}. Written by `experiments/benchmarks/tracking_server.py`."
    )
    return "\n".join([head, "", *(f"| {' | '.join(cells)} |" for cells in lines)])


@contextmanager
def object_store() -> Iterator[None]:
    """moto's S3 with one bucket, where MLflow's server keeps files."""
    import boto3
    from moto.server import ThreadedMotoServer

    store = ThreadedMotoServer("127.0.0.1", free_port())
    store.start()
    host, port = store.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    os.environ |= {
        "MLFLOW_S3_ENDPOINT_URL": endpoint,
        "MLFLOW_ARTIFACTS_DESTINATION": f"s3://{BUCKET}/mlflow",
        "AWS_ACCESS_KEY_ID": "anyone",
        "AWS_SECRET_ACCESS_KEY": "anything",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    boto3.client("s3", endpoint_url=endpoint).create_bucket(Bucket=BUCKET)
    try:
        yield
    finally:
        store.stop()


@contextmanager
def ray_head(folder: Path, cpus: int) -> Iterator[str]:
    """A Ray cluster of one node, guarded by a token: its address."""
    token = folder / "token"
    token.touch(mode=0o600)
    token.write_text(secrets.token_hex(32))
    os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token), **local.settings()}
    port, log = free_port(), folder / "head.txt"
    options = [
        f"--port={port}",
        f"--num-cpus={cpus}",
        "--include-dashboard=false",
        "--disable-usage-stats",
    ]
    command = [str(Path(sys.executable).parent / "ray"), "start", "--head", "--block", *options]
    with log.open("w") as file:
        head = subprocess.Popen(
            command, stdout=file, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        with awaited(head.pid):
            while "Ray runtime started" not in log.read_text():
                assert head.poll() is None, log.read_text()
                time.sleep(0.2)
        yield f"127.0.0.1:{port}"
    finally:
        head.terminate()
        with suppress(subprocess.TimeoutExpired):
            head.wait(20)
        with suppress(ProcessLookupError):
            os.killpg(head.pid, signal.SIGKILL)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
