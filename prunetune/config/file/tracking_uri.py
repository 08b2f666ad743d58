"""The address of MLflow's store in a sweep file: `none`, or a URI that MLflow understands."""

from __future__ import annotations

import re
from importlib.metadata import entry_points

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


def _dialect(scheme: str) -> str:
    """The scheme without a driver: `postgresql` for `postgresql+psycopg2`."""
    return scheme.lower().partition("+")[0]
