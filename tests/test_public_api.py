"""What `import prunetune` offers: names that are there, listed, typed, and imported lazily."""

from __future__ import annotations

import ast
import doctest
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import prunetune
from prunetune.config.problems.errors import SpecError

SOURCE = Path(prunetune.__file__)


@pytest.mark.parametrize("name", prunetune.__all__)
def test_every_public_name_is_there_listed_and_documented(name):
    assert callable(getattr(prunetune, name))
    assert name in dir(prunetune)
    assert "Example:" in (getattr(prunetune, name).__doc__ or "")


@pytest.mark.parametrize("name", ["SweepSpec", "load_sweep", "plan_sweep"])
def test_an_example_that_needs_no_records_gives_what_it_says(name):
    part = getattr(prunetune, name)
    examples = doctest.DocTestFinder(recurse=False).find(part, globs={name: part})
    results = [doctest.DocTestRunner().run(example) for example in examples]
    assert sum(result.failed for result in results) == 0
    assert sum(result.attempted for result in results) >= 2


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


def test_completion_offers_public_names_alone():
    assert [name for name in dir(prunetune) if not name.startswith("_")] == prunetune.__all__


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        prunetune.nothing  # noqa: B018


def test_a_sweep_may_be_a_dict_a_file_or_a_spec_and_overrides_are_one_word():
    tree = {
        "name": "mine",
        "workload": {"model": "resnet14", "dataset": "digits"},
        "budgets": (0.5,),
        "arms": {
            "thin": {"method": "width_scaling", "recipe": {"batch_size": {"by_budget": {0.5: 8}}}}
        },
    }
    spec = prunetune.load_sweep(tree)
    assert spec == prunetune.load_sweep(spec)
    plans = [prunetune.plan_sweep(s, overrides=["search.trials=3"]) for s in (tree, spec)]
    assert plans[0] == plans[1] == prunetune.plan_sweep(tree | {"search": {"trials": 3}})
    for taker in (prunetune.load_sweep, prunetune.plan_sweep, prunetune.run_sweep):
        assert next(iter(inspect.signature(taker).parameters)) == "source"
        assert "overrides" in inspect.signature(taker).parameters


def test_mistakes_in_a_dict_are_named_by_their_paths():
    with pytest.raises(SpecError, match=r"arms\.thin\.metod: unknown field") as caught:
        prunetune.plan_sweep({"name": "mine", "arms": {"thin": {"metod": "width_scaling"}}})
    assert {problem.path[0] for problem in caught.value.problems} >= {"workload", "budgets"}
    with pytest.raises(SpecError, match="no sweep file can hold this"):
        prunetune.load_sweep({"name": object()})
