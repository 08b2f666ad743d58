"""Finds, downloads and checks the files of data sets."""

from __future__ import annotations

import hashlib
import os
import urllib.request
from http.client import HTTPException
from pathlib import Path

from prunetune.records.user_path import user_path

_TIMEOUT_S = 60
"""After so long without an answer a download is given up."""


class DataMissingError(OSError):
    """A file of a data set is missing; the message says which, and where to put it."""

    exit_code = 3


class CorruptDataError(OSError):
    """A data file has a wrong checksum; it is neither read nor replaced."""

    exit_code = 3


def data_root(root: str | None) -> Path:
    """`root`, else $PRUNETUNE_DATA, else prunetune's folder in the user's cache."""
    if root or (root := os.environ.get("PRUNETUNE_DATA")):
        return user_path(root).resolve()
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "prunetune"


def read_checked(path: Path, md5: str) -> bytes:
    """The content of `path`.

    Raises:
        CorruptDataError: its MD5 is not the published one, `md5`.
    """
    return _checked(path.read_bytes(), md5, path, "remove the file or replace it")


def download(url: str, md5: str, folder: Path) -> bytes:
    """The content of the file at `url`.

    Raises:
        DataMissingError: the download failed; the message says to put the file into `folder`.
        CorruptDataError: its MD5 is not the published one, `md5`.
    """
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as response:
            data: bytes = response.read()
    except (OSError, HTTPException) as error:
        raise DataMissingError(f"{url}: {error}; put its content into {folder}") from error
    return _checked(data, md5, url, f"put the published content into {folder}")


def _checked(data: bytes, md5: str, source: Path | str, cure: str) -> bytes:
    actual = hashlib.md5(data, usedforsecurity=False).hexdigest()
    if actual != md5:
        raise CorruptDataError(f"{source}: MD5 is {actual}, published is {md5}; {cure}")
    return data
