"""The example package, installed as an installer leaves it: no network, no build backend."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

EXAMPLE = Path(__file__).parent / "example"
PACKAGE = "prunetune_example"


def install(site: Path) -> Path:
    """Put the package into the folder `site`, with the metadata that its pyproject.toml states."""
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    shutil.copytree(EXAMPLE / PACKAGE, site / PACKAGE)
    info = site / f"{PACKAGE}-{project['version']}.dist-info"
    info.mkdir()
    name, version = project["name"], project["version"]
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    lines = []
    for group, points in project["entry-points"].items():
        lines += [f"[{group}]", *(f"{point} = {where}" for point, where in points.items()), ""]
    (info / "entry_points.txt").write_text("\n".join(lines))
    return site


def python(*words: object, path: Path) -> subprocess.CompletedProcess[str]:
    """Python in a process of its own, which finds what is in the folder `path`."""
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(path), str(root)])}
    return subprocess.run(
        [sys.executable, *map(str, words)], capture_output=True, text=True, timeout=300,
        check=False, env=environment, cwd=path,
    )  # fmt: skip
