"""Configurations for search trials: those that the file lists first, then the sampler's.

For a sampler that learns, every ask builds an Optuna study from the records and tells it how each
trial ended: complete, stopped early (pruned), failed, infeasible, or running. So a configuration
depends on the records and the trial's number alone, and a restart changes nothing.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import BaseSampler, GPSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState, create_trial

from prunetune.agenda import Ask
from prunetune.config.samplers import Gp, GridSearch, Qmc, RandomSearch, Tpe, sampler_params
from prunetune.config.space.space import Choice, Config, Constant, Dimension, Domain, Float, Int
from prunetune.plan import Plan, Study
from prunetune.records.key import canonical
from prunetune.records.record import TrialSpec
from prunetune.records.seeds import child_seed
from prunetune.records.trial_outcome import EndedTrial
from prunetune.tune.quasi_random import grid_point, qmc_point, random_point


class ConfigSampler:
    """Proposes configurations. Reads `ended` and `dealt` anew at each ask; never changes them."""

    def __init__(
        self, plan: Plan, ended: Mapping[str, EndedTrial], dealt: Mapping[str, TrialSpec]
    ) -> None:
        self._plan, self._ended, self._dealt = plan, ended, dealt
        self._params = sampler_params(plan.sampler)

    def ask(self, ask: Ask) -> Config:
        """The configuration of the search trial that `ask` describes."""
        study, number = ask.study, ask.number
        if number < len(study.first):
            first = study.first[number]
            return study.space.draw(lambda dimension: first[dimension.path])
        seed = child_seed(self._plan.seed, study.id, "sampler")
        trial_seed = child_seed(self._plan.seed, study.id, "sampler", number)
        match self._params:
            case RandomSearch():
                return random_point(study.space, trial_seed)
            case Qmc() as params:
                return qmc_point(study.space, params, seed, number - len(study.first))
            case GridSearch():
                return grid_point(study.space, seed, number - len(study.first))
            case Tpe() | Gp() as params:
                return self._learned(ask, params, trial_seed)

    def optuna_study(self, ask: Ask, sampler: BaseSampler) -> optuna.Study:
        """An Optuna study that holds the earlier trials of `ask`'s study, ordered by number."""
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        study = optuna.create_study(direction="maximize", sampler=sampler)
        for trial in sorted(self._before(ask), key=lambda t: t.number or 0):
            study.add_trial(optuna_trial(ask.study, trial))
        return study

    def _learned(self, ask: Ask, params: Tpe | Gp, seed: int) -> Config:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Optuna's notes on what is experimental
            sampler = _sampler(params, seed % 2**32)
            trial = self.optuna_study(ask, sampler).ask()
            return ask.study.space.draw(lambda dimension: _suggest(trial, dimension))

    def _before(self, ask: Ask) -> Iterator[TrialSpec | EndedTrial]:
        """The study's search trials with the same inputs, ended or not."""
        trials: dict[str, TrialSpec | EndedTrial] = {**self._dealt, **self._ended}
        for trial in trials.values():
            same = (trial.phase, trial.study) == ("search", ask.study.id)
            if same and trial.inputs == ask.inputs:
                yield trial


def optuna_trial(study: Study, trial: TrialSpec | EndedTrial) -> FrozenTrial:
    """A trial as Optuna's; one that has not ended is running."""
    params = study.space.searched(trial.config)
    domains = {d.path: d.domain for d in study.space.dimensions}
    return create_trial(
        **({"state": TrialState.RUNNING} if isinstance(trial, TrialSpec) else _outcome(trial)),
        params={path: _encode(domains[path], value) for path, value in params.items()},
        distributions={path: distribution(domains[path]) for path in params},
    )


def _outcome(trial: EndedTrial) -> dict[str, Any]:
    """State, value and intermediate values of a finished trial, by Optuna's names."""
    curve = dict(enumerate(trial.accuracies, start=1))
    if trial.would_stop_at is not None:  # it ran on as a check of the rule
        until_rung = {epoch: acc1 for epoch, acc1 in curve.items() if epoch <= trial.would_stop_at}
        return {"state": TrialState.PRUNED, "intermediate_values": until_rung}
    match trial.status:
        case "completed" if trial.val_acc1 is not None:
            return {"state": TrialState.COMPLETE, "value": trial.val_acc1}
        case "stopped":
            return {"state": TrialState.PRUNED, "intermediate_values": curve}
        case "infeasible":  # no value, but a violated constraint (optuna#2969)
            return {"state": TrialState.PRUNED, "constraints": {"macs": trial.budget_miss}}
        case _:
            return {"state": TrialState.FAIL}


def distribution(domain: Domain) -> BaseDistribution:
    """The domain as Optuna's distribution; an option becomes JSON, as categories are scalars."""
    match domain:
        case Choice(options=options):
            return CategoricalDistribution([canonical(option) for option in options])
        case Int(low=low, high=high, step=step, log=log):
            return IntDistribution(low, high, log=log, step=step)
        case Float(low=low, high=high, step=step, log=log):
            return FloatDistribution(low, high, log=log, step=step)
        case Constant():
            raise TypeError("a constant is not searched")


def _encode(domain: Domain, value: Any) -> Any:
    if isinstance(domain, Choice):
        return canonical(next(option for option in domain.options if option == value))
    return value


def _suggest(trial: optuna.Trial, dimension: Dimension) -> Any:
    path, domain = dimension.path, dimension.domain
    match domain:
        case Choice(options=options):
            by_text = {canonical(option): option for option in options}
            return by_text[trial.suggest_categorical(path, list(by_text))]
        case Int(low=low, high=high, step=step, log=log):
            return trial.suggest_int(path, low, high, step=step, log=log)
        case Float(low=low, high=high, step=None, log=log):
            return trial.suggest_float(path, low, high, log=log)
        case Float(low=low, high=high, step=step):
            value = trial.suggest_float(path, low, high, step=step)
            return domain.tick(round((value - low) / (step or 1)))
        case Constant(value=value):
            return value


def _sampler(params: Tpe | Gp, seed: int) -> BaseSampler:
    if isinstance(params, Gp):
        return GPSampler(
            seed=seed,
            n_startup_trials=params.n_startup_trials,
            deterministic_objective=params.deterministic_objective,
            warn_independent_sampling=False,
        )
    return TPESampler(**params.model_dump(), seed=seed, warn_independent_sampling=False)
