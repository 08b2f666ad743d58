"""Starts MLflow's UI on loopback, opens it on the answer, and stops all its processes."""

from __future__ import annotations

import http.client
import logging
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO

from prunetune.messages import without_passwords
from prunetune.tracking.environment import SETTINGS, configure_environment, reach_database
from prunetune.tracking.outages import cure, reason
from prunetune.tracking.owner import Owner
from prunetune.tracking.views import FRONTIER, link

_log = logging.getLogger(__name__)

_HOST = "127.0.0.1"
_STOP_S = 5.0
"""How long a process may take to end after each signal."""
_QUIET_S, _AGAIN_S = 5.0, 15.0
"""How long nothing is said of a server that does not answer yet, and how often afterwards."""
_LAST_LINES = 5
"""Lines of the server's output that an error quotes."""


class UiError(OSError):
    """The UI cannot be shown; the message says why."""


def serve(
    uri: str,
    experiment: str,
    *,
    owner: Owner | None = None,
    port: int = 5000,
    open_browser: bool = True,
    say: Callable[[str], None] = print,
    start_s: float | None = None,
) -> None:
    """Show the experiment's frontier in MLflow's UI.

    If `uri` is a tracking server, its own UI is linked. Otherwise a server is started here; Ctrl-C
    ends it with all its processes, and so does SIGTERM, as SystemExit.

    Args:
        uri: the tracking URI, as `environment.store_uri` gives it.
        experiment: the experiment's name.
        owner: whose views are opened, where several sweeps have views in the experiment.
        port: the port to listen on; 0 is any free one.
        open_browser: whether to open the link as well as print it.
        say: prints a line for the user.
        start_s: how long the server may take to answer; None: as long as its process lives.

    Raises:
        UiError: there is no such experiment, the port is taken, or the server does not answer.
    """
    identifier, view = frontier_of(uri, experiment, owner)
    if uri.startswith(("http://", "https://")):
        _show(link(uri, identifier, view), open_browser, say)
        return
    with _terminated_as_exit(), server(uri, port=port, start_s=start_s) as (base, process):
        _show(link(base, identifier, view), open_browser, say)
        say("Ctrl-C stops the UI.")
        try:
            process.wait()
        except KeyboardInterrupt:
            return
    raise UiError(f"MLflow's UI ended by itself with exit code {process.returncode}")


def frontier_of(uri: str, experiment: str, owner: Owner | None = None) -> tuple[str, str]:
    """The id of an experiment by name, and the key of its view of the frontier.

    Raises:
        UiError: MLflow does not answer, or has no experiment of that name.
    """
    configure_environment()
    from mlflow import MlflowClient

    shown = without_passwords(uri)
    try:
        reach_database(uri)
        existing = MlflowClient(uri).get_experiment_by_name(experiment)
    except Exception as error:  # network, database, driver: whatever keeps MLflow from answering
        why = reason(error)
        raise UiError(f"MLflow at {shown} cannot be read: {why}{cure(why)}") from error
    if existing is None:
        raise UiError(f"MLflow at {shown} has no experiment {experiment!r}")
    return str(existing.experiment_id), FRONTIER + (owner.suffix(existing.tags) if owner else "")


@contextmanager
def server(
    uri: str, *, port: int = 0, start_s: float | None = None
) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """An MLflow server on loopback for the block: its address and its process."""
    port = _free(port)
    command = [sys.executable, "-m", "mlflow", "server", "--host", _HOST, "--port", str(port)]
    environment = {
        **SETTINGS,
        **os.environ,
        "MLFLOW_BACKEND_STORE_URI": uri,  # no argument: it may hold a password
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # saves 8 processes and 0.6 GB
    }
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            [*command, "--workers", "1"],
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # a process group that can be ended as a whole
        )
        try:
            _await(process, port, start_s, output)
            yield f"http://{_HOST}:{port}", process
        finally:
            _stop(process)


def _free(port: int) -> int:
    """The port itself, or a free one for 0.

    Raises:
        UiError: the port is taken.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port))
        except OSError as error:
            raise UiError(f"port {port} is taken ({error.strerror}); choose another") from error
        return int(probe.getsockname()[1])


def _await(
    process: subprocess.Popen[bytes], port: int, longest_s: float | None, output: IO[bytes]
) -> None:
    """Wait until the server answers; say so while it takes its time.

    Raises:
        UiError: the server has ended, or `longest_s` seconds have passed.
    """
    began, said = time.monotonic(), _QUIET_S - _AGAIN_S
    while not _healthy(port):
        waited = time.monotonic() - began
        if process.poll() is not None:
            output.seek(0)
            lines = b"\n".join(output.read().splitlines()[-_LAST_LINES:]).decode(errors="replace")
            raise UiError(f"MLflow's UI did not start:\n{lines}")
        if longest_s is not None and waited > longest_s:
            raise UiError(f"MLflow's UI did not answer on port {port} in time")
        if waited - said > _AGAIN_S:
            said = waited
            _log.info("waiting for MLflow's server to start, for %.0f s now", waited)
        time.sleep(0.2)


def _healthy(port: int) -> bool:
    connection = http.client.HTTPConnection(_HOST, port, timeout=2)  # ignores proxies
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the process and its group by SIGTERM, then by SIGKILL."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            break
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            continue
    process.wait()


@contextmanager
def _terminated_as_exit() -> Iterator[None]:
    """Turn SIGTERM into SystemExit for the block; by default it would leave the server running."""

    def leave(number: int, _: object) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _show(address: str, open_browser: bool, say: Callable[[str], None]) -> None:
    say(address)
    if open_browser:
        webbrowser.open(address)
