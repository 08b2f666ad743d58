"""Only `prunetune/records` knows how the files of the storage are called, locked and written."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import prunetune

PACKAGE = Path(prunetune.__file__).parent
FOLDERS = {"records", "trials", "dense", "sparse", "report"}
FILES = re.compile(
    r"\.safetensors|\.lock|\b(error\.txt|kept\.json|plan\.json|ray\.log|record\.json|spent\.json|"
    r"sweep\.yaml|trial\.json)$"
)
SOURCES = {path.relative_to(PACKAGE).as_posix(): path.read_text() for path in PACKAGE.rglob("*.py")}
ELSEWHERE = ("records/", "testing/", "deploy/formats/")  # exported files leave the storage
OUTSIDE = {file: text for file, text in SOURCES.items() if not file.startswith(ELSEWHERE)}


def strings(text: str) -> Iterator[str]:
    """All string constants of a module that are not docstrings."""
    tree = ast.parse(text)
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    constants = (node for node in ast.walk(tree) if isinstance(node, ast.Constant))
    for node in constants:
        if isinstance(node.value, str) and id(node) not in docstrings:
            yield node.value


def joined(text: str) -> Iterator[str]:
    """The first folder of every string constant that `/` appends to a path."""
    operations = (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.BinOp))
    for node in operations:
        appended = node.right.value if isinstance(node.right, ast.Constant) else None
        if isinstance(node.op, ast.Div) and isinstance(appended, str):
            yield appended.partition("/")[0]


def test_files_of_the_storage_are_named_in_records_alone():
    named = [(file, s) for file, text in OUTSIDE.items() for s in strings(text) if FILES.search(s)]
    assert named == []
    assert any(FILES.search(s) for s in strings(SOURCES["records/folders.py"]))


def test_folders_of_the_storage_are_joined_in_records_alone():
    assert [file for file, text in OUTSIDE.items() if FOLDERS & {*joined(text)}] == []
    assert {*joined(SOURCES["records/sweep_files.py"])} >= FOLDERS - {"records"}


def test_nobody_else_locks_files_or_writes_them_whole():
    assert [file for file, text in OUTSIDE.items() if "fcntl" in text] == []
    writers = [file for file, text in OUTSIDE.items() if "write_whole" in text]
    assert all(file.startswith("data/") for file in writers)  # data sets lie outside the storage
