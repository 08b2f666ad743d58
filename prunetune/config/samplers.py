"""The samplers that may search a study, their parameters, and whether they can search a space."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Literal

from pydantic import Field, ValidationError

from prunetune.config.parts import Named, Params
from prunetune.config.problems.errors import Problems, YamlPath, near_match
from prunetune.config.problems.pydantic_errors import note_validation_errors
from prunetune.config.space.grid import EndlessError, Grid
from prunetune.config.space.space import Space

SAMPLER_PATH: YamlPath = ("search", "sampler")
"""Where a sweep file names the sampler."""


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


class RandomSearch(Params):
    """Independent draws."""


class Qmc(Params):
    """A low-discrepancy sequence: every trial is a point that is known beforehand."""

    qmc_type: Literal["sobol", "halton"] = "sobol"
    scramble: bool = True


class GridSearch(Params):
    """All combinations, or an even spread of them where there are more than trials."""


SamplerParams = Tpe | Gp | RandomSearch | Qmc | GridSearch

SAMPLERS: dict[str, type[SamplerParams]] = {
    "tpe": Tpe,
    "random": RandomSearch,
    "gp": Gp,
    "qmc": Qmc,
    "grid": GridSearch,
}


def sampler_params(sampler: Named) -> SamplerParams:
    """The checked parameters of a sampler.

    Raises:
        KeyError: there is no such sampler.
        ValidationError: its parameters are wrong.
    """
    return SAMPLERS[sampler.name].model_validate(sampler.params)


def check_sampler(sampler: Named, problems: Problems) -> None:
    """Note mistakes in the sampler itself, whatever space it is to search."""
    if sampler.name not in SAMPLERS:
        near = near_match(sampler.name, SAMPLERS)
        known = ", ".join(SAMPLERS)
        problems.add(SAMPLER_PATH, "unknown sampler", value=sampler.name, allowed=known, near=near)
        return
    place = (*SAMPLER_PATH, sampler.name)
    try:
        params = sampler_params(sampler)
    except ValidationError as error:
        note_validation_errors(
            error, problems, tree=sampler.params, path=place, of=SAMPLERS[sampler.name]
        )
        return
    if isinstance(params, Tpe) and params.group and not params.multivariate:
        problems.add((*place, "group"), "needs multivariate: true", value=True, allowed="false")
    if isinstance(params, Gp) and (missing := [m for m in ("torch", "scipy") if not find_spec(m)]):
        problems.add(place, f"needs {' and '.join(missing)}, which cannot be imported here")


def unsearchable(sampler: Named, space: Space, trials: int, n_first: int = 0) -> str | None:
    """Why a valid `sampler` cannot search `space` by `trials` trials; None if it can.

    `n_first` of the trials run configurations that the sweep file gives.
    """
    if not isinstance(sampler_params(sampler), GridSearch):
        return None
    try:
        size = Grid(space).size
    except EndlessError as error:
        return f"{error}; give it a step"
    needed = trials - n_first
    if size < needed:
        given = f" beside the {n_first} given first" if n_first else ""
        return f"the grid has {size} points for {needed} trials{given}"
    return None
