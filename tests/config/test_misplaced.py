"""A field in the wrong place, or under a name from elsewhere, is refused with its place here."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from prunetune.config.file.parse import parse_tree
from prunetune.config.file.shipped import schema_file
from prunetune.config.problems.errors import Problem, Problems
from prunetune.config.problems.misplaced import field_meant, misplaced_places

SCHEMA = json.loads(schema_file().read_bytes())
COMMON = {
    "name",
    "question",
    "budgets",
    "tolerance",
    "seed",
    "plugins",
    "path",
    "images",
    "match",
    "from",
}
"""Fields that stand in one place or under many parts, where nobody looks for them elsewhere."""


def forms(node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    if "$ref" in node:
        yield from forms(SCHEMA["$defs"][node["$ref"].rpartition("/")[2]])
    for form in node.get("anyOf", ()):
        yield from forms(form)
    yield node


def child(node: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
    """The schema of the field `name`; NAME is any arm, or any part."""
    for form in forms(node):
        if name in form.get("properties", {}):
            return form["properties"][name]
        if name == "NAME" and form.get("properties"):
            return {"anyOf": list(form["properties"].values())}
        if name == "NAME" and form.get("additionalProperties"):
            return form["additionalProperties"]
    return None


@pytest.mark.parametrize("place", list(misplaced_places()))
def test_every_place_that_is_named_is_one_of_the_schema(place: str) -> None:
    node: Mapping[str, Any] | None = SCHEMA
    for name in place.split("."):
        assert node is not None
        node = child(node, name)
    assert node is not None


def fields(node: Mapping[str, Any]) -> Iterator[str]:
    """The fields of the sweep file itself, without parts' parameters."""
    for name, below in node.get("properties", {}).items():
        yield name
        reference = below.get("$ref", "").rpartition("/")[2]
        if reference[:1].isupper():
            yield from fields(SCHEMA["$defs"][reference])


def test_every_field_that_stands_in_one_place_alone_is_found_from_the_top() -> None:
    top = set(SCHEMA["properties"])
    counted = Counter(fields(SCHEMA))
    sole = {name for name, count in counted.items() if count == 1} - top - COMMON
    assert {"trials", "finetune_epochs", "weight_decay", "hours"} <= sole
    assert [name for name in sole if field_meant((name,)) is None] == []


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("recipe.lr", "recipe.optimizer.sgd.lr"),
        ("recipe.learning_rate", "recipe.optimizer.sgd.lr"),
        ("recipe.optimizer.lr", "recipe.optimizer.sgd.lr"),
        ("arms.thin.recipe.lr", "arms.thin.recipe.optimizer.sgd.lr"),
        ("arms.thin.lr", "arms.thin.recipe.optimizer.sgd.lr"),
        ("workload.dense.train.lr", "workload.dense.train.recipe.optimizer.sgd.lr"),
        ("workload.model.resnet20.val_fraction", "workload.dataset.NAME.val_fraction"),
        ("search.seeds", "confirm.seeds"),
        ("arms.pruned.criterion", "arms.pruned.method.channel_pruning.criterion"),
        ("n_trials", "search.trials"),
        ("storage", "--storage"),
        ("training.epochs", "training.finetune_epochs (after pruning), workload.dense.train.epo"),
        ("training.epochs", "training.match: epochs=60"),
    ],
)  # fmt: skip
def test_a_misplaced_field_is_told_its_place(path: str, meant: str) -> None:
    told = field_meant(tuple(path.split(".")))
    assert told is not None
    assert meant in told


def test_what_was_meant_stands_before_all_that_is_allowed() -> None:
    for problem in (
        Problem(("a",), "wrong", 1, allowed="many, names", near="name"),
        Problem(("a",), "wrong", 1, allowed="many, names", meant="b.a"),
    ):
        assert str(problem).index("got") < str(problem).index("did you mean")
        assert str(problem).index("did you mean") < str(problem).index("allowed")


def problems(**fields: Any) -> list[str]:
    tree = {
        "name": "s", "workload": {"model": "resnet14", "dataset": "digits"}, "budgets": [0.5],
        "arms": {"thin": {"method": "width_scaling"}}, **fields,
    }  # fmt: skip
    noted = Problems()
    parse_tree(tree, noted)
    return [str(problem) for problem in noted.found]


@pytest.mark.parametrize(
    ("fields", "cure"),
    [
        ({"budgets": [50]}, "got 50; did you mean 0.5"),
        ({"budgets": ["50%"]}, "got '50%'; did you mean 0.5"),
        ({"budgets": 0.5}, "got 0.5; did you mean [0.5]?"),
        ({"arms": {"a": {"method": {"name": "reinit", "from": "b"}}}}, "{reinit: {from: b}}?"),
        ({"workload": {"model": {"type": "resnet14", "w": 1}}}, "did you mean {resnet14: {w: 1}}?"),
        ({"tracking": {"uri": "sqlite:///~/x.db"}}, "did you mean sqlite:////"),
        ({"tracking": {"uri": "sqlite:///$HOME/x.db"}}, "did you mean sqlite:////"),
    ],
)
def test_the_cure_is_named(fields: dict[str, Any], cure: str) -> None:
    assert any(cure in problem for problem in problems(**fields)), problems(**fields)
