from __future__ import annotations

import subprocess
import sys

from pydantic import BaseModel

from prunetune.config.file.fields import TreeOf
from prunetune.config.file.json_schema import json_schema
from prunetune.config.file.model import SweepSpec
from prunetune.config.file.parse import parse_tree
from prunetune.config.file.schema import field_lines, skeleton
from prunetune.config.file.yaml import load
from prunetune.config.problems.errors import Problems
from prunetune.config.problems.pydantic_errors import fields_of, nested_model
from prunetune.config.recipe import Recipe
from tests.config.sweeps import SWEEP, Blend

MODULES = (
    "config.budget", "config.matching", "config.space.expand", "config.problems.errors", "plan",
    "config.file.model", "config.file.parse", "config.file.schema", "config.file.yaml",
)  # fmt: skip


def test_the_skeleton_is_a_sweep_at_its_defaults():
    tree, problems = load(skeleton())
    spec = parse_tree(tree, problems)
    assert problems.found == []
    assert spec is not None
    needed = {name: tree[name] for name in ("name", "workload", "budgets", "arms")}
    bare = parse_tree(needed, Problems())
    assert bare is not None
    assert spec.model_copy(update={"recipe": {}}) == bare
    assert Recipe.model_validate(spec.recipe) == Recipe()


def every_field(model: type[BaseModel], seen: set[type[BaseModel]]) -> set[str]:
    """The names of all fields that may be written somewhere below `model`."""
    names = set()
    for name, field in fields_of(model).items():
        names.add(name)
        marks = [mark.model for mark in field.metadata if isinstance(mark, TreeOf)]
        for below in (nested_model(field.annotation), *marks):
            if below and below not in seen:
                names |= every_field(below, seen | {below})
    return names


def test_the_skeleton_names_every_field():
    text = skeleton()
    names = every_field(SweepSpec, set()) | {"method", "first"}
    assert {"epochs", "reduction", "cutout", "run_on"} <= names
    assert [
        name for name in sorted(names) if f"{name}: " not in text and f"{name}:\n" not in text
    ] == []
    assert [line for line in text.splitlines() if len(line) > 100] == []


def test_the_parameters_of_a_part_are_shown_the_same_way():
    lines = list(field_lines(Blend))
    assert lines[0].startswith("first: {magnitude: {p: 2}}")
    assert any("share: 0.5" in line and "above 0, below 1" in line for line in lines)


def test_the_schema_knows_all_fields_and_both_forms_of_a_name():
    schema = json_schema()
    assert set(schema["properties"]) == set(SweepSpec.model_fields)
    assert set(schema["required"]) == {"name", "workload", "budgets", "arms"}
    assert [form["type"] for form in schema["$defs"]["Named"]["anyOf"]] == ["string", "object"]
    assert set(load(SWEEP)[0]) <= set(schema["properties"])


def test_reading_a_sweep_imports_no_large_package():
    imports = "; ".join(f"import prunetune.{name}" for name in MODULES)
    heavy = (
        "{'torch', 'ray', 'mlflow', 'optuna', 'sklearn', 'pandas', 'numpy', 'prunetune.registry'}"
    )
    code = f"import sys; {imports}; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
