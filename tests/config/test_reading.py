"""Raw values become typed nodes: each node knows its place, and each mistake is noted once."""

from __future__ import annotations

import pytest
from hypothesis import given

from prunetune.config.problems.errors import Problems
from prunetune.config.recipe import Recipe
from prunetune.config.space.nodes import (
    ByBudgetNode,
    ChoiceNode,
    GroupNode,
    NamedNode,
    RangeNode,
    YamlNode,
    range_word,
)
from prunetune.config.space.reading import as_named, read_fields, read_named, read_node
from tests.config.trees import JUNK


def value_at(tree: object, path: tuple) -> object:
    for part in path:
        tree = tree[part]  # type: ignore[index]
    return tree


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (3, YamlNode),
        ([1, 2], YamlNode),
        ({"sgd": {"lr": 1}}, GroupNode),
        ({"int": [1, 2]}, RangeNode),
        ({"float": [1, 2], "log": True}, RangeNode),
        ({"choice": [1, 2]}, ChoiceNode),
        ({"by_budget": {"0.5": 1}}, ByBudgetNode),
    ],
)
def test_the_reserved_word_decides_the_kind_of_node(value, kind):
    problems = Problems()
    assert type(read_node(value, (), problems)) is kind
    assert not problems.found


def test_every_node_knows_its_place():
    tree = {
        "a": {"choice": [{"x": {"p": {"int": [1, 2]}}}, "y"]},
        "b": {"by_budget": {"0.5": {"float": [0, 1]}, "2x": 3}},
        "c": {"d": [1, 2]},
    }
    root = read_node(tree, (), Problems())
    nodes = list(root.walk())
    assert len(nodes) == 10
    assert all(value_at(tree, node.path) == node.value for node in nodes)


@given(JUNK)
def test_reading_again_gives_the_same_nodes_and_the_same_problems(value):
    first, again = Problems(), Problems()
    node = read_node(value, ("m",), first)
    assert repr(read_node(value, ("m",), again)) == repr(node)
    assert first.found == again.found
    assert all(str(n.path[0]) == "m" for n in node.walk())


@given(JUNK)
def test_a_node_names_the_part_that_its_raw_value_names(value):
    expected, noted = Problems(), Problems()
    part = read_named(value, ("m",), expected)
    node = read_node(value, ("m",), Problems())
    assert repr(as_named(node, noted)) == repr(part)
    assert {str(p) for p in noted.found} <= {str(p) for p in expected.found}
    assert (part is None) <= bool(noted.found)


@pytest.mark.parametrize("value", ["sgd", {"sgd": None}, {"sgd": {}}])
def test_a_part_without_parameters_has_an_empty_mapping_of_them(value):
    part = read_named(value, ("m",), Problems())
    assert isinstance(part, NamedNode)
    assert (part.name, part.params.value) == ("sgd", {})


def test_unknown_fields_are_noted_and_left_out():
    problems = Problems()
    tree = {"ema": 0.5, "emma": {"int": [2, 1]}, "augment": {"cutout": 1, "cutuot": 2}}
    group = read_fields(tree, ("recipe",), Recipe, problems)
    assert [p.path[1:] for p in problems.found] == [("emma",), ("augment", "cutuot")]
    assert [node.path[1:] for node in group.walk()] == [(), ("ema",), ("augment",),
                                                        ("augment", "cutout")]  # fmt: skip
    assert not any(range_word(node.value) for node in group.walk())
