"""How a sweep may change once it has begun."""

import pytest

from prunetune.config.file.growth import GrowthError, growth

SWEEP = {
    "name": "s",
    "workload": {"model": "resnet14", "dataset": {"cifar10": {"root": "a"}}},
    "budgets": [0.5, 0.25],
    "arms": {"thin": {"method": "width_scaling", "match": ["scratch_b"]}},
    "training": {"match": "scratch_b", "finetune_epochs": 3},
    "search": {"trials": 4, "replicates": 1},
    "confirm": {"seeds": 3},
    "resources": {"cpus": 1},
    "recipe": {"weight_decay": {"by_budget": {"5e-1": 1e-4, "25e-2": 2e-4}}},
}


def changed(path: str, value: object) -> dict:
    tree = {**SWEEP}
    node = tree
    *parents, leaf = path.split(".")
    for parent in parents:
        node[parent] = {**node[parent]}
        node = node[parent]
    node[leaf] = value
    return tree


GROWTHS = [
    ("search.trials", 8),
    ("search.replicates", 2),
    ("confirm.seeds", 5),
    ("budgets", [0.5, 0.25, 0.125]),
    ("training.match", ["scratch_b", "scratch_e"]),
    ("arms.pruned", {"method": "channel_pruning"}),
    ("arms.thin.match", ["scratch_b", "scratch_e"]),
    ("arms.thin.match", None),
    ("resources.cpus", 2),
    ("workload.dataset.cifar10.root", "b"),
    ("recipe.weight_decay.by_budget.125e-3", 2e-4),
]
OTHERS = [
    ("search.trials", 3),
    ("confirm.seeds", 1),
    ("budgets", [0.5]),
    ("arms.thin", {"method": "channel_pruning"}),
    ("training.finetune_epochs", 4),
    ("workload.model", "resnet20"),
    ("recipe.weight_decay.by_budget.5e-1", 3e-4),
]


def test_no_change_is_no_growth():
    assert growth(SWEEP, SWEEP) == []


@pytest.mark.parametrize(("path", "value"), GROWTHS)
def test_growth_is_legal_and_described(path, value):
    (line,) = growth(SWEEP, changed(path, value))
    assert line.startswith(path)


@pytest.mark.parametrize(("path", "value"), OTHERS)
def test_any_other_change_is_refused_with_the_difference(path, value):
    with pytest.raises(GrowthError, match=path.split(".", maxsplit=1)[0]) as error:
        growth(SWEEP, changed(path, value))
    assert repr(value if not isinstance(value, dict) else "channel_pruning") in str(error.value)


def test_growing_is_transitive():
    once = changed("search.trials", 8)
    twice = {**once, "confirm": {"seeds": 5}}
    assert len(growth(SWEEP, twice)) == len(growth(SWEEP, once)) + len(growth(once, twice))
