"""Debian's PostgreSQL on loopback, with a password, for the block of a `with`."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

USER = "postgres"
_PASSWORD = "not to be seen"
_PATIENCE_S = 60


def binaries() -> Path | None:
    """The folder of `initdb` and `postgres`; None where PostgreSQL is not installed."""
    folders = sorted(Path(os.sep, "usr", "lib", "postgresql").glob("*/bin"))
    return folders[-1] if folders and (folders[-1] / "initdb").exists() else None


@contextmanager
def postgresql() -> Iterator[tuple[str, Path]]:
    """An empty database: its URI without a password, and the file for PGPASSFILE."""
    tools = binaries()
    assert tools is not None
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = Path(tempfile.mkdtemp(prefix="pg-"))  # a socket's path must be short
    words, passwords = folder / "password", folder / "pgpass"
    words.write_text(_PASSWORD)
    passwords.write_text(f"127.0.0.1:{port}:*:{USER}:{_PASSWORD}\n")
    passwords.chmod(0o600)
    who = USER if os.geteuid() == 0 else None  # the server refuses to run as root
    if who:
        shutil.chown(folder, who)
        shutil.chown(words, who)
    data = str(folder / "data")
    make = [str(tools / "initdb"), "-D", data, "-U", USER, "--auth=scram-sha-256"]
    serve = [str(tools / "postgres"), "-D", data, "-p", str(port), "-k", str(folder)]
    fast = ["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"]
    try:
        subprocess.run(
            [*make, f"--pwfile={words}"], user=who, cwd=folder, check=True, capture_output=True
        )
        server = subprocess.Popen([*serve, *fast], user=who, cwd=folder, stderr=subprocess.DEVNULL)
        try:
            _await(port)
            yield f"postgresql+psycopg2://{USER}@127.0.0.1:{port}/postgres", passwords
        finally:
            server.send_signal(signal.SIGQUIT)  # at once
            server.wait(_PATIENCE_S)
    finally:
        shutil.rmtree(folder)


def _await(port: int) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            assert time.monotonic() < deadline, "PostgreSQL did not start"
            time.sleep(0.05)
