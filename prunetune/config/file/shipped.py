"""The sweeps that come with prunetune, found by name: `quickstart`, `resnet56`, …"""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parents[2]
_FOLDERS = (_PACKAGE / "sweeps", _PACKAGE.parent / "sweeps")
"""The folder of the files in an installed wheel, and in a checkout."""


def shipped_sweeps() -> dict[str, Path]:
    """Name -> sweep file, in alphabetical order."""
    folder = next((folder for folder in _FOLDERS if folder.is_dir()), None)
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))} if folder else {}


def sweep_file(written: Path | str) -> Path:
    """The file that `written` means: a path, or else the name of a shipped sweep.

    A path that exists comes first. A text that is neither is returned as a path, so that reading it
    fails with the name as it was written.
    """
    path = Path(written)
    return path if path.exists() else shipped_sweeps().get(str(written), path)
