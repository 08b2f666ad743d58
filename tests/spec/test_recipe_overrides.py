"""A tree of overrides: only what is written is there, and what is written counts."""

from __future__ import annotations

from pydantic import Field

from prunetune.spec.errors import Problems
from prunetune.spec.expand import expand
from prunetune.spec.fields import RecipeTree
from prunetune.spec.parts import Params
from prunetune.spec.recipe import Recipe
from prunetune.spec.space import Space, any_value, subtree
from tests.spec.sweeps import lookup


class Stage(Params):
    recipe: RecipeTree = Field(default_factory=dict)


def expanded(recipe: dict) -> tuple[Space, list[str]]:
    problems = Problems()
    found = expand(
        "stage", Stage, {"recipe": recipe}, lookup=lookup, problems=problems, path=("stage",)
    )
    told = [f"{'.'.join(map(str, p.path))}: {p.message}" for p in problems.found]
    return Space(dimensions=found), told


def config(recipe: dict) -> dict:
    space, problems = expanded(recipe)
    assert problems == []
    return space.draw(lambda dimension: any_value(dimension.domain))


def test_fields_that_are_not_written_are_not_there():
    assert config({}) == {}
    assert config({"weight_decay": 0}) == {"stage.recipe.weight_decay": 0.0}
    named = config({"optimizer": {"sgd": {"lr": 0.01}}})
    assert named == {
        "stage.recipe.optimizer": "sgd",
        "stage.recipe.optimizer.sgd.lr": 0.01,
        "stage.recipe.optimizer.sgd.momentum": 0.9,
    }
    stage = Stage.model_validate(subtree(named, "stage"))
    assert Recipe.model_validate(stage.recipe).optimizer.params == {"lr": 0.01, "momentum": 0.9}


def test_a_default_that_is_written_enters_the_key():
    """It replaces what the trial's own recipe says; one that is not written does not."""
    for tree in ({"weight_decay": 5e-4}, {"augment": {}}, {"optimizer": "sgd"}):
        space, _ = expanded(tree)
        assert space.salient(config(tree)) != {}
    space, _ = expanded({"optimizer": {"sgd": {"momentum": 0.9}}})
    assert space.salient(config({"optimizer": "sgd"})) == {"stage.recipe.optimizer": "sgd"}


def test_overrides_may_be_searched():
    space, problems = expanded({
        "weight_decay": {"choice": [0, 0.001]},
        "optimizer": {"choice": {"sgd": {"lr": {"float": [0.01, 0.1]}}, "adamw": {}}},
    })  # fmt: skip
    assert problems == []
    searched = {d.path for d in space.dimensions if d.searched}
    assert searched == {
        "stage.recipe.weight_decay",
        "stage.recipe.optimizer",
        "stage.recipe.optimizer.sgd.lr",
    }


def test_what_is_no_field_is_told_where_it_stands():
    assert expanded({"weight_deay": 0})[1] == ["stage.recipe.weight_deay: unknown field"]
    assert [line.partition(":")[0] for line in expanded({"batch_size": 0})[1]] == [
        "stage.recipe.batch_size"
    ]
    (problem,) = expanded({"choice": [{}]})[1]
    assert problem.startswith("stage.recipe: must be a mapping")
