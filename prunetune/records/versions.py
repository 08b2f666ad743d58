"""The versions that decide a trial's numbers."""

from __future__ import annotations

import platform
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version

PACKAGES = ("prunetune", "torch", "torchvision", "torch-pruning")


@lru_cache(maxsize=1)
def versions() -> dict[str, str]:
    """Version by package, Python included; packages that are not installed are left out."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
