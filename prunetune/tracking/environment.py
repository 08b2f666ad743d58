"""Settings of MLflow: environment variables that it reads on import, and its addresses."""

from __future__ import annotations

import os
from pathlib import Path

SETTINGS = {
    "MLFLOW_CONFIGURE_LOGGING": "false",  # so that it logs to the root logger, not to stderr
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    # MlflowStore retries. MLflow's own seven retries keep a call to an absent server for minutes.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
}


def configure_environment() -> None:
    """Set the variables that the user has not set. Call it before mlflow is first imported."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)


def store_uri(uri: str | None, storage: Path) -> str:
    """`uri`, or the URI of a SQLite file under `storage` if it is None."""
    return uri if uri is not None else f"sqlite:///{storage.absolute() / 'mlflow.db'}"


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
