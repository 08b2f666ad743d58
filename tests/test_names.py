"""One word, one meaning: no public name is defined in two modules of prunetune."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import prunetune

PACKAGE = Path(prunetune.__file__).parent


def test_no_public_name_is_defined_in_two_modules() -> None:
    modules = defaultdict(set)
    for path in PACKAGE.rglob("*.py"):
        for name in public_names(ast.parse(path.read_text(encoding="utf-8"))):
            modules[name].add(str(path.relative_to(PACKAGE)))
    assert modules
    assert {name: sorted(paths) for name, paths in modules.items() if len(paths) > 1} == {}


def public_names(module: ast.Module) -> Iterator[str]:
    """Names of classes, functions and variables of a module that have no leading underscore."""
    for statement in module.body:
        for name in defined_by(statement):
            if not name.startswith("_"):
                yield name


def defined_by(statement: ast.stmt) -> list[str]:
    """The names that a class, a function or an assignment defines."""
    match statement:
        case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            return [name]
        case ast.AnnAssign(target=ast.Name(id=name)):
            return [name]
        case ast.Assign(targets=targets):
            nodes = [node for target in targets for node in ast.walk(target)]
            return [node.id for node in nodes if isinstance(node, ast.Name)]
        case _:
            return []
