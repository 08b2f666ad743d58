from __future__ import annotations

import pytest

from prunetune.agenda.specs import Ask, dense_spec, run_on_numbers, search_spec, spec_of_dense
from prunetune.config.parts import Named
from prunetune.config.search import Asha
from prunetune.config.space.space import Constant, Dimension, Space
from prunetune.plan import Plan
from prunetune.records.seeds import trial_seeds
from tests.agenda.simulated import Sweep, ended, plan, study

BASE = study("thin", 0.5)


def key(base: Plan | None = None, number: int = 1, seed: int = 1, lr: float = 0.1, **other) -> str:
    ask = Ask(BASE.model_copy(update=other), number, seed)
    return search_spec(base or plan(), ask, {"recipe.lr": lr}, {}).key


def test_a_key_is_that_of_what_is_computed():
    changed = {
        "data": key(plan(data_key="other")),
        "tolerance": key(plan(tolerance=0.01)),
        "number": key(number=2),
        "seed": key(seed=2),
        "config": key(lr=0.2),
        "method": key(method="other"),
        "target": key(target_macs=499),
        "epochs": key(epochs=7),
        "arm": key(arm="thinner"),
        "matching": key(matching="scratch_e"),
        "replicate": key(replicate=1),
        "sparsity": key(budget="sparsity=0.9"),
    }
    assert len({key(), *changed.values()}) == 1 + len(changed)


def test_a_key_names_the_trials_that_it_starts_from():
    made = [ended(dense_spec(plan(), seed, 0)) for seed in range(2)]
    records = {record.key: record for record in made}
    starts = [{role: k} for role in ("dense", "architecture") for k in records]
    asks = [Ask(BASE, 1, 1, inputs) for inputs in starts]
    keys = {search_spec(plan(), ask, {"recipe.lr": 0.1}, records).key for ask in asks}
    assert len(keys | {key()}) == 5


def test_each_replicate_has_a_split_of_its_own_and_its_dense_networks_learn_from_it():
    base = plan(replicates=3, workload={"seed": 4})
    dense = [dense_spec(base, 10_000 * r, r) for r in range(3)]
    for r, spec in enumerate(dense):
        trial = search_spec(base, Ask(study("thin", 0.5, replicate=r), 0, 0), {"recipe.lr": 1}, {})
        assert trial.workload == spec.workload == base.workload_of(r)
    assert [spec.workload.get("replicate", 0) for spec in dense] == [0, 1, 2]
    assert dense[0].workload == base.workload, "the first split is that of a sweep without others"
    assert len({base.data_key_of(r) for r in range(3)}) == 3
    assert dense_spec(base, 7, 0).key != dense_spec(base, 7, 1).key


@pytest.mark.parametrize("version", [1, 2])
def test_a_dense_network_of_which_only_the_record_is_left_is_trained_as_it_was(version):
    base = plan()
    record = ended(dense_spec(base, 1000, 0)).model_copy(
        update={"key": "made before", "seeds": trial_seeds(0, 1000, "dense", version)}
    )
    spec = spec_of_dense(base, record)
    assert (spec.key, spec.stream_version) == ("made before", version)
    assert trial_seeds(0, spec.seed, spec.phase, spec.stream_version) == record.seeds


def test_a_plan_that_was_stored_gives_the_same_keys():
    stored = Plan.model_validate_json(plan().model_dump_json(by_alias=True))
    assert stored == plan()
    assert key(stored) == key()
    assert dense_spec(stored, 0, 0) == dense_spec(plan(), 0, 0)


@pytest.mark.parametrize(
    "other",
    [
        {"sweep": "another"},
        {"question": "why?"},
        {"resources": {"cpus": 4}},
        {"limits": {"hours": 1}},
        {"tracking": {"uri": "x"}},
        {"early_stopping": None},
        {"sampler": Named(name="random")},
        {"workload": {"dataset": {"cifar10": {"root": "/elsewhere"}}}},
        {"trials": 99, "seeds": 9, "budgets": (0.1,)},
    ],
    ids=str,
)
def test_a_key_is_of_nothing_else(other):
    assert key(plan(**other)) == key()
    assert dense_spec(plan(**other), 0, 0).key == dense_spec(plan(), 0, 0).key


def test_a_default_that_is_added_changes_no_key():
    space = Space(
        dimensions=(
            *BASE.space.dimensions,
            Dimension(path="recipe.new", domain=Constant(value=0), default=0, has_default=True),
        )
    )
    ask = Ask(BASE.model_copy(update={"space": space}), 1, 1)
    spec = search_spec(plan(), ask, {"recipe.lr": 0.1, "recipe.new": 0}, {})
    assert (spec.key, spec.config["recipe.new"]) == (key(), 0)
    assert search_spec(plan(), ask, {"recipe.lr": 0.1, "recipe.new": 1}, {}).key != key()


def test_dense_keys_know_no_arm_and_of_the_replicate_its_split_alone():
    seeds = {dense_spec(plan(), seed, 0).key for seed in range(5)}
    assert len(seeds) == 5
    assert dense_spec(plan(), 1, 0).key == dense_spec(plan(arms=("thin",)), 1, 0).key
    same_split = plan(data_key=plan().data_key_of(3))
    assert dense_spec(plan(), 1, 3).key == dense_spec(same_split, 1, 0).key


def test_the_trials_that_run_on_are_drawn_before_the_first():
    base = plan(trials=16, early_stopping=Asha(run_on=3))
    sweep = Sweep(base).run()
    drawn = {s.id: run_on_numbers(base, s) for s in base.studies}
    for spec in sweep.order:
        assert spec.run_on == (spec.phase == "search" and spec.number in drawn[spec.study])
    assert {len(numbers) for numbers in drawn.values()} == {3}
    assert len(set(drawn.values())) > 1, "each study has its own draw"
    other = plan(trials=16, early_stopping=Asha(run_on=3), seed=1)
    assert {s.id: run_on_numbers(other, s) for s in other.studies} != drawn
    assert not run_on_numbers(plan(early_stopping=None), BASE)
