"""Addresses in a sweep file: of MLflow's store (or `none`), and of an Optuna storage.

`tracking_uri` and `optuna_uri` hold for every sweep file, those of sweeps that began elsewhere
included. `check_tracking` holds for a file that is to run here and now.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from importlib.metadata import entry_points
from importlib.util import find_spec
from typing import Any

from prunetune.config.problems.errors import Problems, YamlPath
from prunetune.messages import SECRET_PARAMETER, without_passwords

NO_TRACKING = "none"
"""The word that switches MLflow off."""

_SCHEMES = (
    *("http", "https", "sqlite", "postgresql", "mysql", "mssql"),
    *("file", "databricks", "databricks-uc", "uc"),
)
_FORMS = (
    "none (no MLflow), null or no entry (a store beside the results), http://host:5000 (a server), "
    "or a database such as sqlite:////folder/mlflow.db"
)
_HOST = re.compile(r"(?:localhost|[0-9.]+|[A-Za-z0-9.-]+(?=:[0-9]))(?::[0-9]+)?(?:/.*)?")


def tracking_uri(text: str) -> str:
    """The address as it is written.

    Raises:
        ValueError: it is another word for nothing, or MLflow has no store for it.
    """
    scheme, colon, rest = text.partition(":")
    known = (*_SCHEMES, *(point.name for point in entry_points(group="mlflow.tracking_store")))
    if text in (NO_TRACKING, "databricks") or (colon and rest and _dialect(scheme) in known):
        return text
    word = text.strip().lower()
    if word in ("none", "null", "nil", "~", "", "false", "no", "off"):
        meant = "did you mean none (no MLflow) or null (a store beside the results)?"
    elif _HOST.fullmatch(text):
        meant = f"did you mean 'http://{text}'?"
    elif "://" in text:
        meant = f"MLflow knows: {', '.join(dict.fromkeys(known))}"
    else:
        meant = "a store without a scheme is not understood"
    raise ValueError(f"is no address of MLflow; {meant}; allowed: {_FORMS}")


_OPTUNA_SCHEMES = ("sqlite", "postgresql", "mysql")
_OPTUNA = re.compile(r"(?:sqlite(?:\+\w+)?:///.+|(?:postgresql|mysql)(?:\+\w+)?://[^/\s]+/.+)")


def optuna_uri(text: str) -> str:
    """The address of an Optuna storage as it is written.

    Raises:
        ValueError: Optuna has no storage for it.
    """
    if _OPTUNA.fullmatch(text):
        return text
    word = text.strip().lower()
    if word in (NO_TRACKING, "null", "~", "", "false", "no", "off"):
        meant = "did you mean null?"
    elif _dialect(text.partition(":")[0]) in _OPTUNA_SCHEMES:
        meant = "the database's file or name is missing"
    elif "://" in text:
        meant = f"Optuna knows: {', '.join(_OPTUNA_SCHEMES)}"
    else:
        meant = f"did you mean 'sqlite:///{text}'?"
    raise ValueError(
        f"is no address of an Optuna storage; {meant}; allowed: null (studies are kept nowhere "
        "else), or a database such as sqlite:////folder/studies.db or postgresql://host/studies"
    )


def _dialect(scheme: str) -> str:
    """The scheme without a driver: `postgresql` for `postgresql+psycopg2`."""
    return scheme.lower().partition("+")[0]


_SERVERS = ("http", "https")
_USER = re.compile(r"://(?P<user>[^/\s]*)@")
_DRIVERS = {
    "postgresql": "psycopg",
    "postgresql+psycopg": "psycopg",
    "postgresql+psycopg2": "psycopg2",
    "mysql": "MySQLdb",
    "mysql+pymysql": "pymysql",
    "mssql": "pyodbc",
    "mssql+pyodbc": "pyodbc",
}
"""Scheme -> the module by which SQLAlchemy reaches such a database."""
_BY_ENVIRONMENT = (
    "leave it out, since sweep files are stored and shown; a server's user and password are read "
    "from MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, and PostgreSQL's password from "
    "the file that PGPASSFILE names"
)


def check_tracking(tree: Mapping[str, Any], problems: Problems) -> None:
    """Note why an address under `tracking` must not or cannot be used here."""
    tracking = tree.get("tracking")
    for name in ("uri", "optuna"):
        uri = tracking.get(name) if isinstance(tracking, Mapping) else None
        if isinstance(uri, str):
            _check_address(("tracking", name), uri, problems)


def _check_address(path: YamlPath, uri: str, problems: Problems) -> None:
    scheme = uri.partition(":")[0].lower()
    shown = without_passwords(uri)
    if secret := _secret(uri, scheme):
        problems.add(path, f"holds {secret}", value=shown, allowed=_BY_ENVIRONMENT)
    if scheme == "file" and path[-1] == "uri":
        allowed = "a database such as sqlite:////folder/mlflow.db, null, none, or a server"
        problems.add(path, "MLflow keeps no runs in folders any more", value=uri, allowed=allowed)
    if scheme.startswith("sqlite") and (meant := _expanded(uri)) != uri:
        message = "`~` and `$NAME` stay as they are in an address"
        problems.add(path, message, value=uri, meant=meant)
    driver = _DRIVERS.get(scheme)
    if driver and find_spec(driver) is None:
        message = f"needs the Python module {driver}, which is not installed here"
        other = "" if scheme != "postgresql" or find_spec("psycopg2") is None else _PSYCOPG2
        problems.add(path, message, value=shown, allowed=other or None)


_PSYCOPG2 = "postgresql+psycopg2://… uses the module psycopg2, which is installed"


def _expanded(uri: str) -> str:
    """The address of a database file with the home folder and variables put in."""
    scheme, slashes, file = uri.partition(":///")
    return scheme + slashes + os.path.expanduser(os.path.expandvars(file))


def _secret(uri: str, scheme: str) -> str | None:
    """What the address gives away: a password, a token; None if nothing."""
    user = _USER.search(uri)
    if user and scheme in _SERVERS:
        return "a user or a token"
    if user and ":" in user["user"]:
        return "a password"
    parameter = SECRET_PARAMETER.search(uri)
    return f"a secret, as the parameter {parameter['name']!r}" if parameter else None
