"""prunetune/README.md: its code is the example's, and its house is the one that stands."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "prunetune"
EXAMPLE = ROOT / "tests/plugins/example/prunetune_example"
README = (PACKAGE / "README.md").read_text(encoding="utf-8")
QUOTE = re.compile(r"<!-- (tests/\S+) -->\n```(\w+)\n(.*?)```", re.DOTALL)
ROOMS = README.partition("<!-- rooms")[2].partition("-->")[2].partition("<!-- end -->")[0]
ROOM = re.compile(r"^    ( *)([a-z_]+/|[a-z_]+\.py)  +\S", re.MULTILINE)


def test_all_code_is_quoted_from_the_example() -> None:
    quotes = QUOTE.findall(README)
    assert len(quotes) >= 4
    assert README.count("```python") == sum(language == "python" for _, language, _ in quotes)
    for path, _, code in quotes:
        assert code.strip()
        assert code in (ROOT / path).read_text(encoding="utf-8"), (
            f"{path} does not contain:\n{code}"
        )


def test_files_and_names_that_it_speaks_of_are_there() -> None:
    for path in re.findall(r"`((?:compress|train|models|data)/[\w/]+\.py)`", README):
        assert (PACKAGE / path).exists(), path
    for path in re.findall(r"\| `(\w+\.py)` \|", README):
        assert (EXAMPLE / path).exists(), path
    suites = (PACKAGE / "testing" / "__init__.py").read_text(encoding="utf-8")
    for name in re.findall(r"check_\w+", README):
        assert name in suites, name


def test_the_example_imports_from_one_place() -> None:
    for file in EXAMPLE.glob("*.py"):
        imported = re.findall(r"^from (prunetune\S*) import", file.read_text(), re.MULTILINE)
        assert set(imported) <= {"prunetune.plugin"}, file.name


def drawn(block: str) -> list[str]:
    """The paths in a block of rooms; a room is indented below the room that it is in."""
    paths: list[str] = []
    parents: list[str] = []
    for indent, name in ROOM.findall(block):
        parents = [*parents[: len(indent) // 2], name]
        paths.append("".join(parents))
    return paths


def test_every_room_is_drawn_once() -> None:
    packages = {f"{f.parent.relative_to(PACKAGE)}/" for f in PACKAGE.rglob("*/__init__.py")}
    modules = {f.name for f in PACKAGE.glob("*.py") if f.name != "__init__.py"}
    rooms = drawn(ROOMS)
    assert len(rooms) == len(set(rooms))
    assert set(rooms) == packages | modules, "draw the rooms in prunetune/README.md as they are"


def test_the_layers_are_those_that_import_linter_checks() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    contract = settings["importlinter"]["contracts"][0]
    layers = [
        {name.strip().removeprefix("prunetune.") for name in layer.split("|")}
        for layer in contract["layers"]
    ]
    blocks = [drawn(block) for block in ROOMS.strip("\n").split("\n\n")]
    rooms = [
        {room.removesuffix("/").removesuffix(".py") for room in block if "/" not in room[:-1]}
        for block in blocks
    ]
    assert rooms == layers, "draw the layers in prunetune/README.md as in pyproject.toml"
