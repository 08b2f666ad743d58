"""What `import prunetune` offers: names that are there, listed, typed, and imported lazily."""

from __future__ import annotations

import ast
import doctest
import subprocess
import sys
from pathlib import Path

import pytest

import prunetune

SOURCE = Path(prunetune.__file__)


@pytest.mark.parametrize("name", prunetune.__all__)
def test_every_public_name_is_there_listed_and_documented(name):
    assert callable(getattr(prunetune, name))
    assert name in dir(prunetune)
    assert "Example:" in (getattr(prunetune, name).__doc__ or "")


@pytest.mark.parametrize("name", ["load_sweep", "plan_sweep"])
def test_an_example_that_needs_no_records_gives_what_it_says(name):
    part = getattr(prunetune, name)
    (example,) = doctest.DocTestFinder().find(part, globs={name: part})
    assert doctest.DocTestRunner().run(example) == doctest.TestResults(0, 2)


def test_type_checkers_see_the_names_that_are_imported_lazily():
    guarded = next(
        node
        for node in ast.parse(SOURCE.read_text()).body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    )
    seen = {
        alias.name: statement.module
        for statement in guarded.body
        if isinstance(statement, ast.ImportFrom)
        for alias in statement.names
    }
    assert seen == prunetune._HOMES
    assert (SOURCE.parent / "py.typed").exists()


def test_importing_the_package_imports_nothing_else_of_it():
    code = "import sys, prunetune; print(sum(m.startswith('prunetune.') for m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "0"


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        prunetune.nothing  # noqa: B018
