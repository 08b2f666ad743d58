"""MLflow's UI on loopback, opened on the answer, and stopped with nothing left behind."""

from __future__ import annotations

import http.client
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

from prunetune.tracking.environment import SETTINGS, configure_environment, without_password
from prunetune.tracking.views import link

HOST = "127.0.0.1"
STOP_S = 5.0
LAST_LINES = 5


class UiError(OSError):
    """The UI cannot be shown; the message says why."""


def serve(
    uri: str,
    experiment: str,
    *,
    port: int = 5000,
    open_browser: bool = True,
    say: Callable[[str], None] = print,
    start_s: float = 90.0,
) -> None:
    """Show the experiment's frontier; on a database of ours, until Ctrl-C.

    A tracking server has a UI of its own, which is only linked to. Ctrl-C (and SIGTERM, as
    SystemExit) stop the server that was started here, with all its processes.

    Args:
        uri: the tracking URI, as `environment.store_uri` gives it.
        experiment: its name; the sweep's, where the sweep file names no other.
        port: to listen on; 0: any free one.
        open_browser: whether the link is opened as well as said.
        say: takes each line meant for the user.
        start_s: how long the server may take to answer.

    Raises:
        UiError: no such experiment, the port is taken, or no server within `start_s`.
    """
    found = experiment_id(uri, experiment)
    if uri.startswith(("http://", "https://")):
        _show(link(uri, found), open_browser, say)
        return
    with _terminated_as_exit(), server(uri, port=port, start_s=start_s) as (base, process):
        _show(link(base, found), open_browser, say)
        say("Ctrl-C stops the UI.")
        try:
            process.wait()
        except KeyboardInterrupt:
            return
    raise UiError(f"MLflow's UI ended by itself with exit code {process.returncode}")


def experiment_id(uri: str, experiment: str) -> str:
    """The id of an experiment by name; UiError if the store has none of that name."""
    configure_environment()
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    try:
        found = MlflowClient(uri).get_experiment_by_name(experiment)
    except MlflowException as error:
        raise UiError(f"MLflow at {without_password(uri)} does not answer: {error}") from error
    if found is None:
        raise UiError(f"MLflow at {without_password(uri)} has no experiment {experiment!r}")
    return str(found.experiment_id)


@contextmanager
def server(
    uri: str, *, port: int = 0, start_s: float = 90.0
) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """An MLflow server on loopback: its address and process, while the context lasts."""
    port = _free(port)
    command = [sys.executable, "-m", "mlflow", "server", "--host", HOST, "--port", str(port)]
    environment = {
        **SETTINGS,
        **os.environ,
        "MLFLOW_BACKEND_STORE_URI": uri,  # not among the arguments: it may hold a password
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # spares 8 processes and 0.6 GB
    }
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            [*command, "--workers", "1"],
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # a group of its own, so that all of it can be stopped
        )
        try:
            _await(process, port, time.monotonic() + start_s, output)
            yield f"http://{HOST}:{port}", process
        finally:
            _stop(process)


def _free(port: int) -> int:
    """The port itself, or any free one for 0; UiError if it is taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise UiError(f"port {port} is taken ({error.strerror}); choose another") from error
        return int(probe.getsockname()[1])


def _await(process: subprocess.Popen[bytes], port: int, deadline: float, output: IO[bytes]) -> None:
    while time.monotonic() < deadline:
        if process.poll() is not None:
            output.seek(0)
            said = b"\n".join(output.read().splitlines()[-LAST_LINES:]).decode(errors="replace")
            raise UiError(f"MLflow's UI did not start:\n{said}")
        if _healthy(port):
            return
        time.sleep(0.2)
    raise UiError(f"MLflow's UI did not answer on port {port} in time")


def _healthy(port: int) -> bool:
    connection = http.client.HTTPConnection(HOST, port, timeout=2)  # which knows of no proxies
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the process and its group: first politely, then surely."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            break
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            continue
    process.wait()


@contextmanager
def _terminated_as_exit() -> Iterator[None]:
    """SIGTERM raises SystemExit meanwhile: its default would leave the server running."""

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
