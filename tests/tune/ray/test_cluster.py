"""Joining a cluster: whatever is at the port, the answer comes at once and in words."""

import os
import socket
import stat
import subprocess
import threading
import time
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from prunetune.tune.ray import cluster, join, local, waiting
from prunetune.tune.ray.errors import AddressError, ClusterError
from prunetune.tune.ray.token import given_token, own_token


@pytest.fixture
def silent():
    """A port that takes connections and says nothing."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        yield server.getsockname()[1]


@pytest.fixture
def web():
    """A port where a web server listens."""
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


@pytest.fixture
def unused():
    """A port at which nobody listens."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        yield probe.getsockname()[1]


@pytest.mark.parametrize("scheme", ["", "ray://"])
@pytest.mark.parametrize(
    ("port", "words"),
    [("unused", "nobody listens"), ("web", "does not speak"), ("silent", "no answer within 1 s")],
)
def test_what_is_no_ray_is_refused_in_words(scheme, port, words, request, tmp_path, monkeypatch):
    monkeypatch.setattr(join, "ANSWER_S", 1.0)
    address = f"{scheme}127.0.0.1:{request.getfixturevalue(port)}"
    before = time.monotonic()
    refused = pytest.raises(ClusterError, match=f"at {address}: .*{words}")
    with refused, cluster.connected(address, tmp_path / "ray.log"):
        pass
    assert time.monotonic() - before < 3
    assert join.ANSWER_S < 5


@pytest.mark.parametrize("address", ["nonsense", "ray://", "ray://host", "http://host:1", "a b:1"])
def test_an_address_that_is_none_is_bad_input(address, tmp_path):
    refused = pytest.raises(AddressError, match=r"write auto, HOST:PORT .* or ray://HOST:PORT")
    with refused as caught, cluster.connected(address, tmp_path / "ray.log"):
        pass
    assert caught.value.exit_code == 2


def test_the_token_of_a_local_ray_is_read_by_its_owner_alone(monkeypatch):
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    monkeypatch.setenv("RAY_AUTH_TOKEN", "known to others")
    with own_token():
        assert os.environ["RAY_AUTH_MODE"] == "token"
        file = Path(os.environ["RAY_AUTH_TOKEN_PATH"])
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert given_token() == file.read_text() != "known to others"
    assert not file.exists()
    assert os.environ["RAY_AUTH_MODE"] == "disabled"
    assert given_token() == "known to others"


def test_a_start_that_fails_is_tried_again_and_leaves_no_process(monkeypatch, caplog):
    left: list[subprocess.Popen] = []

    def slow_twice() -> None:
        if len(left) < 2:
            left.append(subprocess.Popen(["sleep", "100"]))
            raise Exception("The current node timed out during startup.\nMore of it.")

    monkeypatch.setattr(local, "_init", slow_twice)
    local.start()
    assert [process.wait(5) for process in left] == [-9, -9]
    assert "trying again (3 of 3)" in caplog.text


def test_a_machine_on_which_ray_does_not_start_is_named(monkeypatch):
    def timed_out() -> None:
        raise Exception("The current node timed out during startup.\nMore of it.")

    monkeypatch.setattr(local, "_init", timed_out)
    words = r"in 3 tries: The current node timed out during startup\.[^\n]*the same command"
    with pytest.raises(ClusterError, match=words):
        local.start()


def test_what_is_waited_for_is_said(monkeypatch, caplog):
    monkeypatch.setattr(waiting, "FIRST_WORDS_S", 0.05)
    monkeypatch.setattr(waiting.os, "getloadavg", lambda: (999.0, 0, 0))
    with waiting.told("waiting for Godot"):
        time.sleep(0.3)
    assert "waiting for Godot, for 0 s now; this machine is busy: about 999" in caplog.text
