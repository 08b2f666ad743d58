"""Code of a user's beside a sweep file, for the time of a test."""

from __future__ import annotations

import importlib
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prunetune.user_code.code_digest import code_digest

OWN = Path(__file__).with_name("own_network")


@contextmanager
def beside(folder: Path) -> Iterator[None]:
    """What planning a sweep in `folder` changes in this process is undone after the block."""
    before = list(sys.path)
    try:
        yield
    finally:
        sys.path[:] = before
        forget(folder)


def forget(folder: Path) -> None:
    """Forget the modules of the folder, as in a new process."""
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if file and Path(file).is_relative_to(folder):
            del sys.modules[name]
    importlib.invalidate_caches()
    code_digest.cache_clear()


def copied(folder: Path, source: Path = OWN) -> Path:
    """A sweep file in `folder`, with the code beside it."""
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns("__pycache__"))
    return folder / "sweep.yaml"
