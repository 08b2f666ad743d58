from __future__ import annotations

import pytest

from prunetune.spec import samplers
from prunetune.spec.parts import Named
from prunetune.spec.samplers import SAMPLERS, validate_sampler
from prunetune.spec.space import Choice, Dimension, Float, Space
from tests.agenda.simulated import study

FOUR = Space(
    dimensions=(
        Dimension(path="a", domain=Choice(options=("x", "y"))),
        Dimension(path="b", domain=Float(low=0, high=1, step=1)),
    )
)
ENDLESS = Space(dimensions=(Dimension(path="lr", domain=Float(low=0, high=1)),))


@pytest.mark.parametrize("name", SAMPLERS)
def test_every_sampler_takes_a_study_that_suits_it(name):
    assert validate_sampler(Named(name=name), study("thin", 0.5, trials=4, space=FOUR)) == []


@pytest.mark.parametrize(
    ("sampler", "space", "words"),
    [
        ({"name": "tpee"}, FOUR, ["'tpee'", "'tpe'"]),
        ({"name": "tpe", "params": {"n_startup": 3}}, FOUR, ["tpe.n_startup", "3"]),
        ({"name": "tpe", "params": {"n_startup_trials": 0}}, FOUR, ["n_startup_trials", "0"]),
        ({"name": "tpe", "params": {"multivariate": False}}, FOUR, ["group"]),
        ({"name": "qmc", "params": {"qmc_type": "dice"}}, FOUR, ["sobol", "dice"]),
        ({"name": "grid"}, ENDLESS, ["lr", "step"]),
        ({"name": "grid"}, FOUR, ["4 configurations", "5 trials"]),
    ],
    ids=str,
)
def test_what_a_sampler_cannot_do_is_said(sampler, space, words):
    (line,) = validate_sampler(Named(**sampler), study("thin", 0.5, trials=5, space=space))
    assert all(word in line for word in words)


def test_configurations_given_first_are_not_asked_of_the_grid():
    given = study("thin", 0.5, trials=5, space=FOUR, first=({"a": "x", "b": 0.0},))
    assert validate_sampler(Named(name="grid"), given) == []


def test_a_gaussian_process_names_what_it_lacks(monkeypatch):
    monkeypatch.setattr(samplers, "find_spec", lambda name: None if name == "torch" else name)
    (line,) = validate_sampler(Named(name="gp"), study("thin", 0.5, space=FOUR))
    assert "torch" in line
    assert "scipy" not in line
