"""The sweeps that come with prunetune, found by name: `quickstart`, `resnet56`, …"""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parents[2]
_FOLDERS = (_PACKAGE / "sweeps", _PACKAGE.parent / "sweeps")
"""The folder of the files in an installed wheel, and in a checkout."""


def shipped_sweeps() -> dict[str, Path]:
    """Name -> sweep file, in alphabetical order."""
    folder = _folder()
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))} if folder else {}


def schema_file() -> Path:
    """The JSON Schema of a sweep file with the parts of this package, beside the shipped sweeps.

    Raises:
        FileNotFoundError: the sweeps were not shipped with this installation.
    """
    folder = _folder()
    if folder is None:
        raise FileNotFoundError(f"no folder {_FOLDERS[0]}")
    return folder / "sweep.schema.json"


def _folder() -> Path | None:
    return next((folder for folder in _FOLDERS if folder.is_dir()), None)


def sweep_file(written: Path | str) -> Path:
    """The file that `written` means: a path, or else the name of a shipped sweep.

    A path that exists comes first. A text that is neither is returned as a path, so that reading it
    fails with the name as it was written.
    """
    path = Path(written)
    return path if path.exists() else shipped_sweeps().get(str(written), path)
