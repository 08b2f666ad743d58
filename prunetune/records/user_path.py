"""Paths as people write them: `~` is the home folder, `$NAME` a variable of the environment."""

from __future__ import annotations

import os
import re
from pathlib import Path

_VARIABLE = re.compile(r"\$(\w+|\{[^}]*\})")


class UserPathError(ValueError):
    """A path names a variable that is not set."""

    exit_code = 2


def user_path(written: str | os.PathLike[str]) -> Path:
    """The path that is meant, relative paths from the working folder.

    Raises:
        UserPathError: a variable is not set. (`~NAME` of nobody is the name of a folder.)
    """
    text = os.path.expandvars(os.fspath(written))
    if unset := _VARIABLE.search(text):
        raise UserPathError(
            f"path {os.fspath(written)!r}: {unset.group()} is not set in the environment"
        )
    return Path(os.path.expanduser(text)).absolute()
