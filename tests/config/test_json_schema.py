"""The JSON Schema accepts what prunetune accepts, and marks what it refuses by its form."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from prunetune.cli.list import part_params
from prunetune.config.file.json_schema import json_schema
from prunetune.config.file.schema import skeleton
from prunetune.config.file.shipped import schema_file, shipped_sweeps
from prunetune.config.file.yaml import load, read
from tests.config.sweeps import SWEEP

WITH_PARTS = json.loads(schema_file().read_bytes())
LINE = "# yaml-language-server: $schema=sweep.schema.json"


def as_json(tree: Any) -> Any:
    return json.loads(json.dumps(tree))


@pytest.fixture(params=["bare", "with parts"])
def validator(request: pytest.FixtureRequest) -> Draft202012Validator:
    schema = json_schema() if request.param == "bare" else WITH_PARTS
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def test_every_sweep_of_ours_is_valid_and_names_its_schema(validator: Draft202012Validator) -> None:
    assert shipped_sweeps()
    for path in shipped_sweeps().values():
        assert LINE in path.read_text(encoding="utf-8").splitlines()
        assert list(validator.iter_errors(as_json(read(path)[0]))) == []
    for text in (skeleton(), SWEEP):
        assert list(validator.iter_errors(as_json(load(text)[0]))) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("search.trails", 3),
        ("search.trials", "many"),
        ("recipe.lr", 0.1),
        ("recipe.weight_decay", {"flaot": [0, 1]}),
        ("recipe.weight_decay", [0, 1]),
        ("confirm.seeds", 0),
        ("training.match", "scratch"),
    ],
)
def test_a_mistake_of_form_is_marked(
    path: str, value: Any, validator: Draft202012Validator
) -> None:
    tree: dict[str, Any] = as_json(load(skeleton())[0])
    wrong = copy.deepcopy(tree)
    *above, name = path.split(".")
    node = wrong
    for part in above:
        node = node[part]
    node[name] = value
    assert list(validator.iter_errors(wrong))


def test_parameters_of_parts_are_known_to_the_larger_schema() -> None:
    tree: dict[str, Any] = as_json(load(skeleton())[0])
    tree["arms"] = {"pruned": {"method": {"channel_pruning": {"scop": "local"}}}}
    assert list(Draft202012Validator(WITH_PARTS).iter_errors(tree))
    assert not list(Draft202012Validator(json_schema()).iter_errors(tree))
    tree["arms"] = {"pruned": {"method": {"my_own": {"scop": "local"}}}}
    assert not list(Draft202012Validator(WITH_PARTS).iter_errors(tree))


@pytest.mark.slow
def test_the_schema_beside_the_sweeps_is_that_of_this_version() -> None:
    """If it is not: `prunetune schema --json --parts > sweeps/sweep.schema.json`."""
    assert as_json(json_schema(part_params())) == WITH_PARTS
