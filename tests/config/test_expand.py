from __future__ import annotations

import random
from typing import Annotated

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field

from prunetune.config.file.parse import parse_tree
from prunetune.config.file.yaml import load
from prunetune.config.parts import Params
from prunetune.config.problems.errors import Problems
from prunetune.config.recipe import Recipe
from prunetune.config.space.expand import expand
from prunetune.config.space.space import (
    Choice,
    Config,
    Constant,
    Dimension,
    Float,
    Int,
    Space,
    subtree,
)
from tests.config.sweeps import PARTS, SWEEP, Blend, ChannelPruning, Reinit, lookup
from tests.config.trees import JUNK


def expanded(tree, model=Recipe, prefix="recipe", **kwargs) -> tuple[Space, list]:
    problems = Problems()
    found = expand(prefix, model, tree, lookup=lookup, problems=problems, path=(prefix,), **kwargs)
    return Space(dimensions=found), problems.found


def drawn(space: Space, seed: int) -> Config:
    """Any configuration of the space; ends of ranges are drawn often."""
    rng = random.Random(seed)

    def suggest(dimension: Dimension):
        match dimension.domain:
            case Choice(options=options):
                return rng.choice(options)
            case Int(low=low, high=high, step=step):
                return rng.randrange(low, high + 1, step)
            case Float(low=low, high=high, step=None):
                return rng.choice([low, high, rng.uniform(low, high)])
            case Float(low=low, high=high, step=step):
                return min(high, low + step * rng.randint(0, round((high - low) / step)))

    return space.draw(suggest)


def resolved(model: type[Params], tree: dict) -> object:
    """The parts themselves that a mapping of concrete values names, parameters and all."""
    params = model.model_validate(tree)
    found = {}
    for name, field in model.model_fields.items():
        value = getattr(params, name)
        kinds = [mark.kind for mark in field.metadata if hasattr(mark, "kind")]
        if kinds and value is not None:
            value = (value.name, resolved(PARTS[kinds[0]][value.name], value.params))
        found[name] = value
    return found


FLOATS = st.floats(0, 0.9).map(lambda x: round(x, 3))
CONSTANTS = {
    "optimizer": st.sampled_from(["sgd", "adamw"])
    | st.builds(lambda lr: {"sgd": {"lr": lr}}, st.floats(1e-4, 1))
    | st.builds(lambda b: {"adamw": {"betas": [b, 0.999]}}, FLOATS)
    | st.just({"adamw": None}),
    "schedule": st.sampled_from(["cosine", {"multistep": {"milestones": [0.3, 0.6]}}]),
    "batch_size": st.integers(1, 512),
    "weight_decay": FLOATS | st.integers(0, 3),
    "norm_weight_decay": st.booleans(),
    "mixup": FLOATS,
    "ema": FLOATS,
}
AUGMENT = {
    "crop": st.none() | st.integers(0, 8),
    "padding": st.sampled_from(["zero", "reflect"]),
    "flip": st.none() | st.booleans(),
    "cutout": st.integers(0, 8),
}
CONSTANT_TREES = st.fixed_dictionaries(
    {}, optional={**CONSTANTS, "augment": st.fixed_dictionaries({}, optional=AUGMENT)}
)


def distinct(values):
    return st.lists(values, min_size=1, max_size=3, unique_by=lambda v: (float(v), str(v)))


def log_range(low, high):
    ends = st.tuples(st.floats(low, high), st.floats(low, high)).map(sorted)
    return st.builds(lambda e, log: {"float": e, "log": log}, ends, st.booleans())


SGD = st.fixed_dictionaries({}, optional={"lr": log_range(1e-4, 1), "momentum": FLOATS})
ADAMW = st.fixed_dictionaries(
    {},
    optional={"betas": st.just({"choice": [[0.9, 0.95], [0.9, 0.999]]}), "lr": st.floats(0.1, 1)},
)
RANGE_TREES = st.fixed_dictionaries(
    {},
    optional={
        "optimizer": st.builds(lambda a, b: {"choice": {"sgd": a, "adamw": b}}, SGD, ADAMW)
        | st.builds(lambda b: {"choice": ["sgd", {"adamw": b}]}, ADAMW)
        | st.builds(lambda a: {"sgd": a}, SGD),
        "batch_size": st.builds(
            lambda low, n, step: {"int": [low, low + n * step], "step": step},
            st.integers(1, 64), st.integers(0, 5), st.integers(1, 64),
        ),
        "weight_decay": log_range(1e-6, 1e-1),
        "label_smoothing": st.just({"float": [0.0, 0.3], "step": 0.1}),
        "norm_weight_decay": st.just({"choice": [True, False]}),
        "augment": st.fixed_dictionaries(
            {},
            optional={
                "crop": st.just({"choice": [None, 2, 4]}), "cutout": st.just({"int": [0, 9]}),
            },
        ),
    },
)  # fmt: skip


@given(CONSTANT_TREES)
def test_constants_expand_to_the_same_recipe(tree):
    space, problems = expanded(tree)
    assert problems == []
    config = drawn(space, 0)
    assert not any(d.searched for d in space.dimensions)
    assert resolved(Recipe, subtree(config, "recipe")) == resolved(Recipe, tree)


@settings(max_examples=150)
@given(RANGE_TREES, st.integers(0, 10**6))
def test_a_drawn_configuration_lies_in_the_space_and_makes_a_recipe(tree, seed):
    space, problems = expanded(tree)
    assert problems == []
    config = drawn(space, seed)
    assert space.problems(config) == []
    recipe = Recipe.model_validate(subtree(config, "recipe"))
    resolved(Recipe, subtree(config, "recipe"))
    assert config["recipe.optimizer"] == recipe.optimizer.name
    below = {f"recipe.optimizer.{recipe.optimizer.name}.{k}" for k in recipe.optimizer.params}
    assert below == {path for path in config if path.startswith("recipe.optimizer.")}


@given(RANGE_TREES, st.integers(0, 10**6))
def test_a_drawn_configuration_written_as_constants_expands_to_itself(tree, seed):
    config = drawn(expanded(tree)[0], seed)
    again, problems = expanded(subtree(config, "recipe"))
    assert problems == []
    assert drawn(again, 0) == config
    assert again.salient(config) == expanded(tree)[0].salient(config)


@given(RANGE_TREES)
def test_a_space_survives_json(tree):
    space, _ = expanded(tree)
    assert Space.model_validate_json(space.model_dump_json()) == space


def test_an_empty_recipe_has_only_defaults_and_none_is_salient():
    space, problems = expanded({})
    config = drawn(space, 0)
    assert problems == []
    assert space.salient(config) == {}
    assert Recipe.model_validate(subtree(config, "recipe")).batch_size == Recipe().batch_size
    assert {d.path for d in space.dimensions} == set(config)


@given(CONSTANT_TREES)
def test_a_default_written_out_is_not_salient(tree):
    space, _ = expanded(tree)
    config = drawn(space, 0)
    salient = space.salient(config)
    assert expanded(subtree(config, "recipe"))[0].salient(config) == salient
    names = {name: config[f"recipe.{name}"] for name in ("optimizer", "schedule")}
    assert {**drawn(expanded(names)[0], 0), **salient} == config


def test_the_name_comes_first_then_each_option_with_its_condition():
    tree = {"optimizer": {"choice": {"sgd": {"lr": {"float": [0.1, 1]}}, "adamw": {}}}}
    space, _ = expanded(tree)
    paths = [d.path for d in space.dimensions][:5]
    assert paths == [
        "recipe.optimizer",
        "recipe.optimizer.sgd.lr",
        "recipe.optimizer.sgd.momentum",
        "recipe.optimizer.adamw.lr",
        "recipe.optimizer.adamw.betas",
    ]
    assert [d.when for d in space.dimensions[:3]] == [
        (),
        (("recipe.optimizer", "sgd"),),
        (("recipe.optimizer", "sgd"),),
    ]
    assert space.dimensions[0].domain == Choice(options=("sgd", "adamw"))


def test_parts_within_parts_carry_all_their_conditions():
    tree = {
        "criterion": {
            "choice": [
                "lamp",
                {
                    "blend": {
                        "first": {"choice": {"magnitude": {"p": {"choice": [1, 2]}}, "lamp": {}}}
                    }
                },
            ]
        }
    }
    space, problems = expanded(tree, ChannelPruning, "method")
    assert problems == []
    inner = next(d for d in space.dimensions if d.path.endswith("magnitude.p"))
    assert inner.path == "method.criterion.blend.first.magnitude.p"
    assert inner.when == (
        ("method.criterion", "blend"),
        ("method.criterion.blend.first", "magnitude"),
    )
    for seed in range(20):
        config = drawn(space, seed)
        assert space.problems(config) == []
        assert (inner.path in config) == (config.get("method.criterion.blend.first") == "magnitude")
        resolved(ChannelPruning, subtree(config, "method"))


def test_a_field_may_hold_a_part_or_null():
    space, problems = expanded({}, Blend, "b")
    assert problems == []
    config = drawn(space, 0)
    assert config["b.second"] is None
    assert (config["b.first"], config["b.first.magnitude.p"]) == ("magnitude", 2)
    space, problems = expanded({"second": {"choice": [None, "lamp"]}}, Blend, "b")
    assert problems == []
    seen = set()
    for seed in range(10):
        config = drawn(space, seed)
        assert space.problems(config) == []
        value = Blend.model_validate(subtree(config, "b")).second
        seen.add(value and value.name)
    assert seen == {None, "lamp"}


class Rated(Params):
    rates: dict[str, Annotated[float, Field(ge=0)]] = {}  # noqa: RUF012 - pydantic copies it


def test_a_mapping_of_numbers_has_a_dimension_for_each_entry():
    tree = {"rates": {"a": 0.3, "b/0": {"float": [0.1, 1]}, "c": {"by_budget": {0.5: 2, 0.25: 1}}}}
    space, problems = expanded(tree, Rated, "method", budget=0.25)
    assert not problems
    assert [d.path for d in space.dimensions] == [f"method.rates.{k}" for k in ("a", "b/0", "c")]
    config = drawn(space, 3)
    assert 0.1 <= config["method.rates.b/0"] <= 1
    assert Rated.model_validate(subtree(config, "method")).rates["c"] == 1
    assert space.salient(config) == config
    again, _ = expanded({"rates": {"a": 0.3}}, Rated, "method")
    assert again.constants() == {"method.rates.a": 0.3}
    empty, _ = expanded({"rates": {}}, Rated, "method")
    assert empty.salient(empty.constants()) == {}


@pytest.mark.parametrize(("tree", "place", "words"), [
    ({"a": -1}, ("m", "rates", "a"), "at least 0"),
    ({"a": {"float": [-1, 2]}}, ("m", "rates", "a", "float"), "at least 0"),
    ({"a": {"choice": [1, "x"]}}, ("m", "rates", "a", "choice", 1), "number"),
    ({"a.b": 1}, ("m", "rates", "a.b"), "without dots"),
    ({3: 1}, ("m", "rates", 3), "without dots"),
    ([1], ("m", "rates"), "mapping"),
])  # fmt: skip
def test_a_mistake_in_a_mapping_is_reported_with_its_place(tree, place, words):
    _, problems = expanded({"rates": tree}, Rated, "m")
    assert [p.path for p in problems] == [place]
    assert words in str(problems[0])


def test_a_field_is_called_what_a_file_calls_it():
    space, problems = expanded({"from": "pruned"}, Reinit, "method")
    assert problems == []
    assert drawn(space, 0) == {"method.from": "pruned"}
    assert expanded({}, Reinit, "method")[1][0].path == ("method", "from")


def test_numbers_are_kept_as_their_field_holds_them():
    """1 and 1.0 are one value, so they must be one key."""
    space, _ = expanded({"mixup": 1, "optimizer": {"choice": {"sgd": {"lr": {"choice": [1, 2]}}}}})
    domains = {d.path: d.domain for d in space.dimensions}
    assert repr(domains["recipe.mixup"].value) == "1.0"
    assert repr(domains["recipe.optimizer.sgd.lr"].options) == "(1.0, 2.0)"


@pytest.mark.parametrize(
    ("budget", "value"),
    [(0.5, Constant(value=1)), (0.25, Int(low=1, high=3)), (0.06, Constant(value=4))],
)
@pytest.mark.parametrize(
    "keys", [("0.5", "0.25", "0.06"), ("2x", "4x", ".06"), ("50M", "25M", "6M")]
)
def test_by_budget_takes_the_value_of_its_budget_in_any_spelling(budget, value, keys):
    tree = {"steps": {"by_budget": dict(zip(keys, (1, {"int": [1, 3]}, 4), strict=True))}}
    space, problems = expanded(
        tree, ChannelPruning, "method", budget=budget, dense_macs=100_000_000
    )
    assert problems == []
    assert next(d.domain for d in space.dimensions if d.path == "method.steps") == value


def test_by_budget_chooses_parts_as_well():
    tree = {"optimizer": {"by_budget": {"0.5": "sgd", "0.25": {"adamw": {"lr": 0.5}}}}}
    for budget, name in [(0.5, "sgd"), (0.25, "adamw")]:
        space, problems = expanded(tree, budget=budget)
        assert problems == []
        assert drawn(space, 0)["recipe.optimizer"] == name
    assert "does not name" in expanded(tree, budget=0.1)[1][0].message


WRONG = [
    ({"weight_decay": -1}, "weight_decay", "at least 0", None),
    ({"weight_decay": "0.1"}, "weight_decay", "a number", None),
    ({"weight_decay": True}, "weight_decay", "a number", None),
    ({"weight_decay": None}, "weight_decay", "a number", None),
    ({"weight_decay": {"float": [-1, 1]}}, "weight_decay.float", "at least 0", None),
    ({"label_smoothing": {"float": [0, 1]}}, "label_smoothing.float", "below 1", None),
    ({"batch_size": {"float": [16, 64]}}, "batch_size.float", "whole", None),
    ({"batch_size": {"choice": [16, 0]}}, "batch_size.choice.1", "at least 1", None),
    ({"mixup": {"choice": [1, 1.0]}}, "mixup.choice.1", "twice", None),
    ({"norm_weight_decay": {"int": [0, 1]}}, "norm_weight_decay.int", "true or false", None),
    ({"augment": {"padding": "reflct"}}, "augment.padding", "unknown value", "reflect"),
    ({"augment": {"choice": [1, 2]}}, "augment", "several values", None),
    ({"augment": 3}, "augment", "mapping", None),
    ({"augment": {"cutuot": 3}}, "augment.cutuot", "unknown field", "cutout"),
    ({"wieght_decay": 1}, "wieght_decay", "unknown field", "weight_decay"),
    ({"optimizer": "sdg"}, "optimizer", "not among the optimizers", "sgd"),
    ({"optimizer": 3}, "optimizer", "write a name", None),
    ({"optimizer": {"sgd": {}, "adamw": {}}}, "optimizer", "write a name", None),
    ({"optimizer": {"sgd": {"rl": 1}}}, "optimizer.sgd.rl", "unknown field", None),
    ({"optimizer": {"sgd": {"lr": 0}}}, "optimizer.sgd.lr", "above 0", None),
    ({"optimizer": {"choice": ["sgd", "sgd"]}}, "optimizer.choice.1", "twice", None),
    ({"optimizer": {"choice": {"sgd": {"momentum": 1}}}}, "optimizer.choice.sgd.momentum",
     "below 1", None),
    ({"optimizer": {"choice": ["sgd", {"adamv": {}}]}}, "optimizer.choice.1.adamv", "", "adamw"),
    ({"optimizer": {"adamw": {"betas": [0.9]}}}, "optimizer.adamw.betas.1", "missing", None),
    ({"optimizer": {"adamw": {"betas": [0.9, "a"]}}}, "optimizer.adamw.betas.1", "number", None),
    ({"schedule": {"multistep": {"milestones": [0.7, 0.2]}}}, "schedule.multistep", "ascend", None),
]  # fmt: skip


@pytest.mark.parametrize(("tree", "place", "words", "near"), WRONG)
def test_a_value_that_its_field_refuses_is_reported_with_its_place(tree, place, words, near):
    _, problems = expanded(tree)
    assert [".".join(map(str, p.path)) for p in problems] == [f"recipe.{place}"]
    assert words in problems[0].message
    assert problems[0].near == near


def test_all_problems_are_reported_at_once_and_right_fields_have_dimensions():
    tree = {**WRONG[0][0], **WRONG[7][0], **WRONG[10][0], "ema": 0.5}
    space, problems = expanded(tree)
    assert len(problems) == 3
    assert "recipe.ema" in {d.path for d in space.dimensions}


def test_whole_numbers_between_the_ends_are_checked_where_they_are_few():
    _, problems = expanded({"p": {"int": [1, 3]}}, PARTS["criteria"]["magnitude"], "criterion")
    assert [p.value for p in problems] == [3]


def test_mistakes_in_an_arms_own_recipe_are_reported_at_their_own_place():
    text = SWEEP.replace("{choice: [64, 128]}", "{choice: [64, 0]}")
    tree, problems = load(text)
    spec = parse_tree(tree, problems)
    assert spec is not None
    recipe, origins = spec.arm_recipe("pruned")
    for budget in (0.5, 0.25):
        expand(
            "recipe", Recipe, recipe, lookup=lookup, problems=problems, path=("recipe",),
            origins=origins, budget=budget,
        )  # fmt: skip
    place = ("arms", "pruned", "recipe", "batch_size", "choice", 1)
    assert [p.path for p in problems.found] == [place]
    line = next(i for i, row in enumerate(text.splitlines(), 1) if "[64, 0]" in row)
    assert problems.found[0].line == line


@settings(max_examples=200)
@given(st.data())
def test_no_tree_brings_expansion_down(data):
    fields = st.sampled_from([*Recipe.model_fields, "x"])
    tree = data.draw(st.dictionaries(fields, JUNK, max_size=3))
    space, problems = expanded(tree, budget=0.5)
    if not problems:
        for seed in range(3):
            config = drawn(space, seed)
            assert space.problems(config) == []
            resolved(Recipe, subtree(config, "recipe"))
