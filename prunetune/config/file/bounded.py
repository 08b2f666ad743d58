"""Reads a file of a size that a sweep file may have, and no more of any other."""

from __future__ import annotations

import errno
from pathlib import Path

MOST_BYTES = 64_000
"""Ten times a file that states every field: more is of another kind, or without end."""


def read_bounded(path: Path) -> bytes:
    """The content of a file.

    A device or a pipe may never end, and YAML of many megabytes would be read for minutes.

    Raises:
        OSError: the file cannot be read, or has more than MOST_BYTES.
    """
    with path.open("rb") as file:
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise OSError(errno.EFBIG, f"is larger than {MOST_BYTES:,} bytes, so it is no sweep file")
    return content
