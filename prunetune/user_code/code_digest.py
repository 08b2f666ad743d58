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
    texts: dict[str, str] = {}
    libraries: dict[str, str] = {}
    to_read = [module]
    while to_read:
        name = to_read.pop()
        top = name.partition(".")[0]
        if name in texts or top in libraries or top in sys.stdlib_module_names:
            continue
        file = _file_of(top if _is_installed(top) else name)
        if file is None:
            continue
        if _is_installed(top):
            libraries[top] = _version(top)
            continue
        data = file.read_bytes().replace(b"\r\n", b"\n")
        texts[name] = hashlib.sha256(data).hexdigest()
        to_read += _parents(name)
        if file.suffix == ".py":
            to_read += _imports(data, name, is_package=file.name == "__init__.py")
    if not texts and not libraries:
        raise ClassError(f"{module} has no file, so other processes cannot import it")
    known = {name: version for name, version in libraries.items() if name not in _NO_PART_OF_KEYS}
    return digest({"texts": texts, "libraries": known})


def _parents(name: str) -> list[str]:
    """The packages that a module is in, which Python imports before it."""
    parts = name.split(".")
    return [".".join(parts[:end]) for end in range(1, len(parts))]


def _imports(data: bytes, name: str, *, is_package: bool) -> Iterator[str]:
    """The modules that the text of module `name` may import, inside functions too."""
    package = name if is_package else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(data)):
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
