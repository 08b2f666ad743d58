"""The samplers that may search a study, their parameters, and whether one fits a study."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Literal

from pydantic import Field, ValidationError

from prunetune.spec.errors import near_match
from prunetune.spec.grid import EndlessError, Grid
from prunetune.spec.parts import Named, Params
from prunetune.spec.plan import Study


class Tpe(Params):
    """Tree-structured Parzen estimator (Optuna's)."""

    n_startup_trials: int = Field(default=6, ge=1, description="random trials before the first")
    n_ei_candidates: int = Field(default=24, ge=1)
    multivariate: bool = True
    group: bool = Field(default=True, description="model conditional parameters apart")
    constant_liar: bool = Field(default=True, description="keep away from running trials")


class Gp(Params):
    """Gaussian process with expected improvement (Optuna's)."""

    n_startup_trials: int = Field(default=6, ge=1, description="random trials before the first")
    deterministic_objective: bool = False


class Random(Params):
    """Independent draws."""


class Qmc(Params):
    """A low-discrepancy sequence: every trial is a point known beforehand."""

    qmc_type: Literal["sobol", "halton"] = "sobol"
    scramble: bool = True


class GridSearch(Params):
    """All combinations; where there are more than trials, an even spread of them."""


SamplerParams = Tpe | Gp | Random | Qmc | GridSearch

SAMPLERS: dict[str, type[SamplerParams]] = {
    "tpe": Tpe,
    "random": Random,
    "gp": Gp,
    "qmc": Qmc,
    "grid": GridSearch,
}


def sampler_params(sampler: Named) -> SamplerParams:
    """The checked parameters; KeyError or pydantic's ValidationError if they are wrong."""
    return SAMPLERS[sampler.name].model_validate(sampler.params)


def validate_sampler(sampler: Named, study: Study) -> list[str]:
    """Why `sampler` cannot search `study`, a line each; empty when it can."""
    if sampler.name not in SAMPLERS:
        near = near_match(sampler.name, SAMPLERS)
        hint = f"; did you mean {near!r}?" if near else ""
        return [f"unknown sampler {sampler.name!r}, known are: {', '.join(SAMPLERS)}{hint}"]
    try:
        params = sampler_params(sampler)
    except ValidationError as error:
        return [
            f"{sampler.name}.{'.'.join(map(str, e['loc']))}: {e['msg']}; got {e['input']!r}"
            for e in error.errors()
        ]
    if isinstance(params, Tpe) and params.group and not params.multivariate:
        return ["tpe: group needs multivariate: true"]
    if isinstance(params, Gp) and (missing := [m for m in ("torch", "scipy") if not find_spec(m)]):
        return [f"gp needs {' and '.join(missing)}, which cannot be imported here"]
    return _grid_problems(study) if isinstance(params, GridSearch) else []


def _grid_problems(study: Study) -> list[str]:
    try:
        size = Grid(study.space).size
    except EndlessError as error:
        return [f"grid: {study.id}: {error}; give it a step"]
    owed = study.trials - len(study.first)
    if size < owed:
        given = f" beside the {len(study.first)} given first" if study.first else ""
        return [f"grid: {study.id} has {size} configurations for {owed} trials{given}"]
    return []
