"""The code that travels to a cluster: this package, and the modules beside the sweep file.

Data and results never travel this way. Ray keeps such archives in the memory of the head and
refuses large ones, so of a user's folder only Python files are taken.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ray._private.runtime_env.constants import RAY_JOB_CONFIG_JSON_ENV_VAR

from prunetune.user_code.code_digest import own_modules

_PACKAGE = Path(__file__).parents[2]
_INSTALLED = {"site-packages", "dist-packages"}


@contextmanager
def packed(plugins: Iterable[str], folders: Iterable[str]) -> Iterator[dict[str, Any] | None]:
    """A Ray runtime environment with the code, from copies that last as long as the block.

    None in a job that brings Python modules of its own (`ray job submit`): Ray does not join two
    such lists.
    """
    submitted = json.loads(os.environ.get(RAY_JOB_CONFIG_JSON_ENV_VAR, "{}"))
    if "py_modules" in (submitted.get("runtime_env") or {}):
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="prunetune-code-") as folder:
        sources = [_PACKAGE, *modules_beside(plugins, folders)]
        yield {"py_modules": [str(_copied(source, Path(folder))) for source in sources]}


def modules_beside(plugins: Iterable[str], folders: Iterable[str]) -> list[Path]:
    """The files and packages in the folders that the plug-ins are made of.

    These are the plug-ins themselves with all that their text imports, and what this process has
    imported beside them. What is installed does not travel: it brings libraries that every node
    must have.
    """
    loaded = [name for name, module in list(sys.modules.items()) if hasattr(module, "__file__")]
    named = list(plugins)
    imported = [name for plugin in named for name in own_modules(plugin)]
    roots = dict.fromkeys(name.partition(".")[0] for name in [*named, *imported, *loaded])
    found = []
    for folder in map(Path, folders):
        if _INSTALLED.isdisjoint(folder.parts):
            found += [path for name in roots if (path := _module(folder, name)) is not None]
    return found


def _module(folder: Path, name: str) -> Path | None:
    package, file = folder / name, folder / f"{name}.py"
    if package == _PACKAGE:
        return None
    if (package / "__init__.py").exists():
        return package
    return file if file.exists() else None


def _copied(source: Path, folder: Path) -> Path:
    """A copy in `folder`: this package whole, of anything else the Python files."""
    target = folder / source.name
    if source.is_file():
        return Path(shutil.copy(source, target))
    ours = source == _PACKAGE
    shutil.copytree(source, target, ignore=_compiled if ours else _other_than_python)
    return target


def _compiled(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if name == "__pycache__"]


def _other_than_python(folder: str, names: list[str]) -> list[str]:
    kept = {name for name in names if name.endswith(".py") or (Path(folder) / name).is_dir()}
    return [name for name in names if name not in kept or name == "__pycache__"]
