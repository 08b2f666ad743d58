"""Names in a sweep file that become names of files, and the rules for them."""

from __future__ import annotations

import re

from prunetune.config.space.nodes import RESERVED

_TAKEN = {
    "dense": "the dense networks that sweeps share",
    "sparse": "the sparse networks that sweeps share",
    "mlflow.db": "MLflow's database",
    "mlflow.db-journal": "MLflow's database",
    "mlflow.db-wal": "MLflow's database",
    "mlflow.db-shm": "MLflow's database",
    "mlartifacts": "MLflow's files",
}
"""What lies beside the folders of sweeps, by name in small letters."""
_DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)
"""A name that Windows keeps for a device, whatever its ending."""


def plain_name(text: str) -> str:
    """The name, fit to be the name of a file anywhere.

    Raises:
        ValueError: it has other characters than allowed.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}", text) or text.endswith("."):
        raise ValueError("must be up to 100 letters, digits and . _ + -, a letter or digit first")
    return text


def sweep_name(text: str) -> str:
    """The name, fit to be that of a sweep's folder in every storage.

    Letter case is ignored, because some file systems ignore it.

    Raises:
        ValueError: it is no plain name, or something else has the name.
    """
    if owner := _TAKEN.get(text.lower()):
        raise ValueError(f"is taken by {owner}, beside the sweeps; {_cure(text)}")
    if _DEVICE.fullmatch(text):
        raise ValueError(f"is the name of a device on Windows; {_cure(text)}")
    return plain_name(text)


def arm_name(text: str) -> str:
    """The name, fit to be that of an arm.

    Raises:
        ValueError: it is no plain name, or a reserved word.
    """
    if text in RESERVED:
        raise ValueError(f"is a reserved word, as are {', '.join(RESERVED)}")
    return plain_name(text)


def module_name(text: str) -> str:
    """The name, fit to be imported.

    Raises:
        ValueError: it is not the name of a module.
    """
    if not all(part.isidentifier() for part in text.split(".")):
        raise ValueError("must be the name of a Python module, like package.module")
    return text


def _cure(text: str) -> str:
    return f"choose another, such as 'sweep-{text}'"
