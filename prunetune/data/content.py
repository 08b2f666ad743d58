"""What lies in a folder or a file, as data for a digest."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from prunetune.data.files import DataMissingError

_READ_BYTES = 2**30
"""Files of more bytes together are known by their names and sizes alone: they take long to read."""


def content_of(root: Path) -> list[Any]:
    """Every file in `root` with its path, its size and, unless there is too much, its SHA-256.

    Raises:
        DataMissingError: there is no file.
    """
    files = [root] if root.is_file() else sorted(path for path in root.rglob("*") if path.is_file())
    if not files:
        raise DataMissingError(f"{root}: there is no file; put those of the data set there")
    sizes = [path.stat().st_size for path in files]
    whole = sum(sizes) <= _READ_BYTES
    return [
        [path.relative_to(root).as_posix(), size, *([_sha256(path)] if whole else [])]
        for path, size in zip(files, sizes, strict=True)
    ]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
