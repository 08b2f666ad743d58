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


def told(sampler: Named) -> list[str]:
    problems = Problems()
    check_sampler(sampler, problems)
    return [str(problem) for problem in problems.found]


@pytest.mark.parametrize("name", SAMPLERS)
def test_every_sampler_takes_a_study_that_suits_it(name):
    assert told(Named(name=name)) == []
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
def test_what_is_wrong_with_a_sampler_is_said_at_its_place(sampler, words):
    (line,) = told(Named(**sampler))
    assert all(word in line for word in words)


@pytest.mark.parametrize(
    ("space", "words"), [(ENDLESS, ["lr", "step"]), (FOUR, ["4 points", "5 trials"])]
)
def test_what_a_grid_cannot_search_is_said(space, words):
    line = unsearchable(Named(name="grid"), space, trials=5)
    assert all(word in line for word in words)


def test_configurations_given_first_are_not_asked_of_the_grid():
    assert unsearchable(Named(name="grid"), FOUR, trials=5, n_first=1) is None


def test_a_gaussian_process_names_what_it_lacks(monkeypatch):
    monkeypatch.setattr(samplers, "find_spec", lambda name: None if name == "torch" else name)
    (line,) = told(Named(name="gp"))
    assert "torch" in line
    assert "scipy" not in line
