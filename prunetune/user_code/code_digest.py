"""The digest of a class's code: what tells a class from the same class after an edit.

A key must not take the records of a class for those of the same class before an edit. So beside the
class and its arguments it holds a digest of the code: of the text of the module that has the class
and of all modules that this one imports, as far as they are not installed; of what is installed,
the name and the version. Text was chosen over a trace of the network because a trace does not show
all that decides a result (initial weights, a dropout rate, a path that is taken in training only)
and changes with the version of torch, while text is the same on every machine. The price is small:
an edited comment makes a new network too. A module that is imported under a computed name
(`importlib.import_module(f"…")`) is not seen.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.metadata
import importlib.util
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from prunetune.records.key import digest
from prunetune.user_code.find import ClassError

_NO_PART_OF_KEYS = frozenset({"prunetune", "torch", "torchvision", "numpy"})
"""Libraries whose versions no key holds, because all networks stand on them."""


@cache
def code_digest(module: str) -> str:
    """The digest of a module's code, and of all that it stands on; see above.

    Raises:
        ClassError: the module has no file.
    """
    code = _code_of(module)
    if not code.files and not code.libraries:
        raise ClassError(f"{module} has no file, so other processes cannot import it")
    texts = {
        name: hashlib.sha256(file.read_bytes().replace(b"\r\n", b"\n")).hexdigest()
        for name, file in code.files.items()
    }
    return digest({"texts": texts, "libraries": code.libraries})


def own_modules(module: str) -> tuple[str, ...]:
    """The module and all that it imports, as far as they are not installed."""
    return tuple(_code_of(module).files)


@dataclass
class _Code:
    """The code that a module stands on."""

    files: dict[str, Path] = field(default_factory=dict)
    """Module that is not installed -> its file."""
    libraries: dict[str, str] = field(default_factory=dict)
    """Library -> its version, of those that are part of keys."""


def _code_of(module: str) -> _Code:
    code, to_read, installed = _Code(), [module], set(sys.stdlib_module_names)
    while to_read:
        name = to_read.pop()
        top = name.partition(".")[0]
        if name in code.files or top in installed:
            continue
        if _is_installed(top):
            installed.add(top)
            if top not in _NO_PART_OF_KEYS:
                code.libraries[top] = _version(top)
        elif (file := _file_of(name)) is not None:
            code.files[name] = file
            to_read += _parents(name)
            if file.suffix == ".py":
                to_read += _imports(file, name)
    return code


def _parents(name: str) -> list[str]:
    """The packages that a module is in, which Python imports before it."""
    parts = name.split(".")
    return [".".join(parts[:end]) for end in range(1, len(parts))]


def _imports(file: Path, name: str) -> Iterator[str]:
    """The modules that module `name` may import, inside functions too."""
    package = name if file.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1]
            base = ".".join([*(above if node.level else []), *filter(None, [node.module])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


@cache
def _is_installed(top: str) -> bool:
    """Whether a library or Python itself brings the module: the user's own code does not."""
    file = _file_of(top)
    paths = (sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib"))
    installed = {"site-packages", "dist-packages"}
    return top in _NO_PART_OF_KEYS or (
        file is not None
        and (
            not installed.isdisjoint(file.parts)
            or any(file.is_relative_to(path) for path in paths if path)
        )
    )


def _file_of(name: str) -> Path | None:
    """The file of a module; None if there is no such module, or it has no file."""
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError, AttributeError):
        return None
    return Path(spec.origin) if spec and spec.origin and spec.has_location else None


def _version(top: str) -> str:
    try:
        return importlib.metadata.version(top)
    except importlib.metadata.PackageNotFoundError:
        return str(getattr(sys.modules.get(top), "__version__", ""))
