"""Where data sets lie on disk, and that their files are what they should be."""

from __future__ import annotations

import hashlib
import os
import urllib.request
from http.client import HTTPException
from pathlib import Path

TIMEOUT_S = 60
"""Of a server that stops answering."""


class DataMissingError(OSError):
    """A data set whose files are not there; says which file to put where."""

    exit_code = 3


class CorruptDataError(OSError):
    """A data file with a wrong checksum, by name; it is not read, and not replaced."""

    exit_code = 3


def data_root(root: str | None) -> Path:
    """`root`, else $PRUNETUNE_DATA, else prunetune's folder in the user's cache."""
    if root or (root := os.environ.get("PRUNETUNE_DATA")):
        return Path(root).expanduser().resolve()
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "prunetune"


def read_checked(path: Path, md5: str) -> bytes:
    """The content of `path`; CorruptDataError unless its MD5 is the published one."""
    return _checked(path.read_bytes(), md5, path, "remove the file or replace it")


def download(url: str, md5: str, folder: Path) -> bytes:
    """The file at `url`; DataMissingError says to put it into `folder` where that fails."""
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as response:
            data: bytes = response.read()
    except (OSError, HTTPException) as error:
        raise DataMissingError(f"{url}: {error}; put what it holds into {folder}") from error
    return _checked(data, md5, url, f"put what it should hold into {folder}")


def _checked(data: bytes, md5: str, source: Path | str, cure: str) -> bytes:
    found = hashlib.md5(data, usedforsecurity=False).hexdigest()
    if found != md5:
        raise CorruptDataError(f"{source}: MD5 is {found}, published is {md5}; {cure}")
    return data
