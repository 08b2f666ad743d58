"""Settings of MLflow: environment variables that it reads on import, and its addresses."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote

SETTINGS = {
    "MLFLOW_CONFIGURE_LOGGING": "false",  # so that it logs to the root logger, not to stderr
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    # MlflowStore retries. MLflow's own seven retries keep a call to an absent server for minutes.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
}

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
    path = str(storage.absolute() / "mlflow.db")
    if (length := len(os.fsencode(path))) > _LONGEST_PATH:
        raise TrackingPathError(
            f"storage {str(storage)!r}: MLflow's database would have a path of {length} bytes, and "
            f"SQLite opens at most {_LONGEST_PATH}; give a shorter --storage, or set tracking.uri "
            "to none (no MLflow) or to a server's address"
        )
    if not set("%?#") & set(path):
        return f"sqlite:///{path}"
    # SQLAlchemy decodes the path and would end it at a "?". MLflow makes the folder of a path that
    # follows `sqlite:///`, and does not decode it: the driver's name keeps it from that.
    return f"sqlite+pysqlite:///{quote(path)}"


def artifact_location(uri: str, storage: Path) -> str | None:
    """The artifacts' folder of a new experiment, beside the results; None lets a server decide."""
    if uri.startswith(("http://", "https://")):
        return None
    return (storage.absolute() / "mlartifacts").as_uri()


def without_password(uri: str) -> str:
    """The URI without user and password: `scheme://host/path`, fit to be shown."""
    scheme, mark, rest = uri.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{mark}{host.rpartition('@')[2]}{slash}{path}"
