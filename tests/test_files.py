"""Laws of the repository's files: modules are short, and no file knows a machine."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDERS = ("prunetune", "tests", "sweeps", "experiments", ".ci", ".github")
LONGEST = 250
MACHINES = re.compile(
    rb"(?<![\w.])/(?:root|home|Users|work|workspace|opt|mnt|var|tmp|usr)/(?!bin/env\b)\w"
    rb"|index-url|/simple\b|artifactory|nexus|devpi|\.internal\b"
)
"""Folders that one machine has, and words of the addresses of package registries."""


def test_no_module_is_longer_than_a_reader_can_hold() -> None:
    modules = (ROOT / "prunetune").rglob("*.py")
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in modules}
    assert lengths
    assert {path: lines for path, lines in lengths.items() if lines > LONGEST} == {}


def test_no_file_names_a_folder_of_a_machine_or_a_registry() -> None:
    found = {path: MACHINES.search(path.read_bytes()) for path in files()}
    assert len(found) > len(FOLDERS)
    del found[Path(__file__)]  # it spells the pattern
    assert {path: match.group() for path, match in found.items() if match} == {}


def files() -> Iterator[Path]:
    """All that a checkout holds; what runs and installations leave behind lies elsewhere."""
    yield from (path for path in ROOT.iterdir() if path.is_file() and path.name != ".git")
    for folder in FOLDERS:
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                yield path
