"""A sweep on a cluster of two nodes, guarded by a token, with one simulated GPU each."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from prunetune.agenda import counts
from prunetune.records.record import Record
from prunetune.records.store import Store
from prunetune.tune.ray import cluster
from prunetune.tune.ray.errors import ClusterError
from tests.e2e.ray_nodes import PATIENCE_S, ROOT, Cluster, wait_until
from tests.e2e.ray_nodes import cluster as cluster_of_processes
from tests.tune.fakes import make_plan


@pytest.fixture(scope="module")
def nodes() -> Iterator[Cluster]:
    with cluster_of_processes() as made:
        made.start_head("--num-cpus=1", "--num-gpus=1")
        made.start_worker("--num-cpus=1", "--num-gpus=1")
        yield made


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


TRAVELLED = "assert 'py_modules' in __file__, f'not travelled: {__file__}'"


def whole(store: Store) -> list[Record]:
    """The records of a sweep that ran on both nodes to its end."""
    records = [*store.records().values()]
    assert len(records) == counts(make_plan(trials=4)).total.total
    assert {r.status for r in records} == {"completed"}
    assert len({r.departures["node"] for r in records}) == 2
    assert {r.departures["gpus"] for r in records} == {"0"}
    return records


def test_trials_run_on_both_nodes_with_half_a_gpu_each(nodes, tmp_path):
    done = sweep(tmp_path, nodes.address, part_beside(tmp_path, TRAVELLED), env=nodes.env)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(done.stdout.splitlines()) == len(whole(Store(tmp_path, "fake")))


def test_an_error_of_ours_arrives_as_itself_through_rays_client(nodes, tmp_path):
    plugin = part_beside(tmp_path, "raise ImportError('no such\\nlibrary')")
    ended = sweep(tmp_path, nodes.client_address, plugin, env=nodes.env)
    cause = "plug-in 'part_beside' cannot be imported: ImportError: no such library"
    assert ended.returncode == 2
    assert ended.stderr.endswith(f"prunetune: {cause}\n")
    assert not Store(tmp_path, "fake").records()


@pytest.mark.parametrize("client", [False, True], ids=["direct", "ray://"])
@pytest.mark.parametrize(
    ("token", "words"),
    [
        ("wrong", "refuses the token that it was shown"),
        ("", "asks for a token: RAY_AUTH_TOKEN_PATH is set but file cannot be opened or is empty"),
        (None, "asks for a token; RAY_AUTH_TOKEN_PATH must name"),
    ],
)
def test_without_its_token_a_cluster_refuses_at_once(
    nodes, tmp_path, monkeypatch, client, token, words
):
    monkeypatch.setenv("HOME", str(tmp_path))
    if token is not None:
        (tmp_path / "token").write_text(token)
        monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(tmp_path / "token"))
    address = nodes.client_address if client else nodes.address
    before = time.monotonic()
    refused = pytest.raises(ClusterError, match=f"at {address} {words}")
    with refused, cluster.connected(address, tmp_path / "ray.log"):
        pass
    assert time.monotonic() - before < 5


def test_a_client_that_dies_leaves_the_sweep_to_the_next_one(nodes, tmp_path):
    """Through Ray's client (ray://), on both nodes too."""
    store, part = Store(tmp_path, "fake"), part_beside(tmp_path, TRAVELLED)
    words = [str(tmp_path), nodes.client_address, str(part)]
    first = subprocess.Popen(
        [sys.executable, "-m", "tests.e2e.ray_sweep", *words], cwd=ROOT, env=nodes.env
    )
    wait_until(lambda: len(store.records()) >= 2, "two trials are done")
    first.kill()
    first.wait()
    done = sweep(*words, env=nodes.env)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(done.stdout.splitlines()) < len(whole(store)), "something was done twice"
