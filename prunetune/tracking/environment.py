"""Settings of MLflow: environment variables that it reads on import, and its addresses."""

from __future__ import annotations

import os
from pathlib import Path

SETTINGS = {
    "MLFLOW_CONFIGURE_LOGGING": "false",  # so that it logs to the root logger, not to stderr
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    # MlflowStore tries again itself. MLflow's own seven retries keep a call to an absent server for
    # minutes, and a request that is sent again after it arrived makes a second run.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "PGCONNECT_TIMEOUT": "10",
}

_ELSEWHERE = ("http:", "https:", "sqlite", "databricks", "uc:", "file:")
"""Beginnings of URIs that lead to no database server."""
_LONGEST_PATH = 500
"""In bytes. SQLite's own limit is 512, of which the suffixes of its journals take a part."""


def configure_environment() -> None:
    """Set the variables that the user has not set. Call it before mlflow is first imported."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)


class TrackingPathError(ValueError):
    """MLflow cannot keep its files in this storage; the message says why, and the cure."""

    exit_code = 2


def store_uri(uri: str | None, storage: Path) -> str:
    """`uri`, or the URI of a SQLite file under `storage` if it is None.

    Raises:
        TrackingPathError: the path of that file is longer than SQLite's limit.
    """
    if uri is not None:
        return uri
    from sqlalchemy import URL

    path = str(storage.absolute() / "mlflow.db")
    if (length := len(os.fsencode(path))) > _LONGEST_PATH:
        raise TrackingPathError(
            f"storage {str(storage)!r}: MLflow's database would have a path of {length} bytes, and "
            f"SQLite opens at most {_LONGEST_PATH}; give a shorter --storage, or set tracking.uri "
            "to none (no MLflow) or to a server's address"
        )
    # MLflow makes the folder of a path that follows `sqlite:///`, without decoding it: where the
    # path is encoded, the driver's name keeps MLflow from that.
    url = URL.create("sqlite", database=path)
    encoded = url.render_as_string() != f"sqlite:///{path}"
    return url.set(drivername="sqlite+pysqlite" if encoded else "sqlite").render_as_string()


def reach_database(uri: str) -> None:
    """Connect once to a database server; MLflow itself tries for 100 s before it says a word.

    Raises:
        SQLAlchemyError: the server does not answer, or refuses us.
        ImportError: the database's driver is not installed.
    """
    if uri.startswith(_ELSEWHERE):
        return
    from sqlalchemy import create_engine
    from sqlalchemy.pool import NullPool

    create_engine(uri, poolclass=NullPool).connect().close()


def artifact_location(uri: str, storage: Path) -> str | None:
    """The artifacts' folder of a new experiment, beside the results; None lets a server decide."""
    if uri.startswith(("http://", "https://")):
        return None
    return (storage.absolute() / "mlartifacts").as_uri()
