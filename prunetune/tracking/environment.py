"""How MLflow is told to behave: by environment variables, which it reads when it is imported."""

from __future__ import annotations

import os
from pathlib import Path

SETTINGS = {
    "MLFLOW_CONFIGURE_LOGGING": "false",  # its loggers then feed the root logger, not stderr
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    # Retries are ours: with its own (7, doubling) one call to a server that is away takes minutes.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
}


def configure_environment() -> None:
    """Set what the user has not set; to be called before mlflow is first imported."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)


def store_uri(uri: str | None, storage: Path) -> str:
    """The tracking URI in use: `uri`, or a SQLite file under `storage` where it is None."""
    return uri if uri is not None else f"sqlite:///{storage.absolute() / 'mlflow.db'}"


def artifact_location(uri: str, storage: Path) -> str | None:
    """Where artifacts of a new experiment go: beside the results, or where the server decides."""
    if uri.startswith(("http://", "https://")):
        return None
    return (storage.absolute() / "mlartifacts").as_uri()


def without_password(uri: str) -> str:
    """The URI as it may be shown: `scheme://user:secret@host/path` loses user and secret."""
    scheme, mark, rest = uri.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{mark}{host.rpartition('@')[2]}{slash}{path}"
