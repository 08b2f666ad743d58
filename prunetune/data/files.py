"""Where data sets lie on disk, and that their files are what they should be."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path


class DataMissingError(OSError):
    """A data set whose files are not there; says which file to put where."""


class CorruptDataError(OSError):
    """A data file with a wrong checksum, by name; it is not read, and not replaced."""


def data_root(root: str | None) -> Path:
    """`root`, else $PRUNETUNE_DATA, else prunetune's folder in the user's cache."""
    if root or (root := os.environ.get("PRUNETUNE_DATA")):
        return Path(root).expanduser().resolve()
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "prunetune"


def read_checked(path: Path, md5: str) -> bytes:
    """The content of `path`; CorruptDataError unless its MD5 is the published one."""
    data = path.read_bytes()
    found = hashlib.md5(data, usedforsecurity=False).hexdigest()
    if found != md5:
        raise CorruptDataError(
            f"{path}: MD5 is {found}, published is {md5}; remove the file or replace it"
        )
    return data
