from __future__ import annotations

import pytest

from prunetune.config import samplers
from prunetune.config.parts import Named
from prunetune.config.problems.errors import Problems
from prunetune.config.samplers import SAMPLERS, check_sampler, unsearchable
from prunetune.config.space.space import Choice, Dimension, Float, Space

FOUR = Space(
    dimensions=(
        Dimension(path="a", domain=Choice(options=("x", "y"))),
        Dimension(path="b", domain=Float(low=0, high=1, step=1)),
    )
)
ENDLESS = Space(dimensions=(Dimension(path="lr", domain=Float(low=0, high=1)),))


def messages_of(sampler: Named) -> list[str]:
    problems = Problems()
    check_sampler(sampler, problems)
    return [str(problem) for problem in problems.found]


@pytest.mark.parametrize("name", SAMPLERS)
def test_every_sampler_accepts_a_space_that_suits_it(name):
    assert messages_of(Named(name=name)) == []
    assert unsearchable(Named(name=name), FOUR, trials=4) is None


@pytest.mark.parametrize(
    ("sampler", "words"),
    [
        ({"name": "tpee"}, ["search.sampler: ", "'tpee'", "'tpe'"]),
        ({"name": "tpe", "params": {"n_startup": 3}}, ["tpe.n_startup: ", "n_startup_trials"]),
        ({"name": "tpe", "params": {"n_startup_trials": 0}}, ["n_startup_trials: ", "0", "1"]),
        ({"name": "tpe", "params": {"multivariate": False}}, ["tpe.group: ", "multivariate"]),
        ({"name": "qmc", "params": {"qmc_type": "dice"}}, ["qmc_type: ", "sobol", "dice"]),
    ],
    ids=str,
)
def test_a_mistake_in_a_sampler_is_reported_at_its_place(sampler, words):
    (line,) = messages_of(Named(**sampler))
    assert all(word in line for word in words)


@pytest.mark.parametrize(
    ("space", "words"), [(ENDLESS, ["lr", "step"]), (FOUR, ["4 points", "5 trials"])]
)
def test_a_grid_says_why_it_cannot_search_a_space(space, words):
    line = unsearchable(Named(name="grid"), space, trials=5)
    assert all(word in line for word in words)


def test_the_grid_need_not_hold_the_configurations_given_first():
    assert unsearchable(Named(name="grid"), FOUR, trials=5, n_first=1) is None


def test_a_gaussian_process_names_its_missing_packages(monkeypatch):
    monkeypatch.setattr(samplers, "find_spec", lambda name: None if name == "torch" else name)
    (line,) = messages_of(Named(name="gp"))
    assert "torch" in line
    assert "scipy" not in line
