"""Versions of the packages that a trial's numbers depend on, and the commit of this one."""

from __future__ import annotations

import platform
import subprocess
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_PACKAGES = ("prunetune", "torch", "torchvision", "torch-pruning")


@lru_cache(maxsize=1)
def versions() -> dict[str, str]:
    """Version by package, Python included; packages that are not installed are left out.

    Where prunetune runs from a git checkout, `commit` is its commit, which ends in `-dirty` if
    files differ from it.
    """
    by_package = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            by_package[name] = version(name)
        except PackageNotFoundError:
            continue
    if commit := _commit(Path(__file__).parents[2]):
        by_package["commit"] = commit
    return by_package


def _commit(checkout: Path) -> str | None:
    """The commit of a git checkout; None if the folder is none, or git is missing."""
    if not (checkout / ".git").exists():
        return None
    words = [
        "git",
        "--no-optional-locks",
        "-C",
        str(checkout),
        "describe",
        "--always",
        "--dirty",
        "--abbrev=40",
    ]
    try:
        told = subprocess.run([*words, "--exclude=*"], capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return None
    return told.stdout.strip() or None
