"""Versions of the packages that a trial's numbers depend on."""

from __future__ import annotations

import platform
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version

_PACKAGES = ("prunetune", "torch", "torchvision", "torch-pruning")


@lru_cache(maxsize=1)
def versions() -> dict[str, str]:
    """Version by package, Python included; packages that are not installed are left out."""
    by_package = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            by_package[name] = version(name)
        except PackageNotFoundError:
            continue
    return by_package
