"""The rung of a comparison on the ladder of fair set-ups (Wang et al., 2301.05219, table 2).

Each rung holds equal what those below it hold equal, and one thing more. The last two ask for equal
training over all stages instead. The winner can change with the rung, so every figure states it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

from prunetune.analysis.evidence.compared import Compared, compared_studies
from prunetune.analysis.evidence.training_cost import (
    are_equal,
    epochs_in_all,
    own_epochs,
    training_cost,
)
from prunetune.config.space.space import describe_domain
from prunetune.plan import SPARSIFIER, Plan, Study
from prunetune.records.record import Frozen

RungName = Literal["S1", "S2", "S3.1", "S3.2", "S4.1", "S4.2", "SX-A", "SX-B"]
RUNGS: tuple[RungName, ...] = get_args(RungName)
"""All rungs, the lowest first."""
_MEANINGS: dict[RungName, str] = {
    "S1": "same data, network and MACs",
    "S2": "same dense network",
    "S3.1": "same epochs of fine-tuning",
    "S3.2": "same recipe of fine-tuning",
    "S4.1": "same epochs of pruning",
    "S4.2": "same recipe of pruning",
    "SX-A": "same epochs over all of training",
    "SX-B": "same MACs over all of training",
}
_RECIPE = "recipe."
_PRUNING_RECIPE = SPARSIFIER.removesuffix("regularizer") + "recipe."


class Rung(Frozen):
    """What a matching holds equal between the arms."""

    matching: str | None
    rung: RungName
    recipes: Literal["same", "own"]
    """Whether all arms train by the same recipe, or each by the best that its search found."""
    label: str
    """For figures: `rung SX-B: same MACs over all of training; each arm's own recipe`."""


def rungs(plan: Plan) -> tuple[Rung, ...]:
    """The rung of each matching: the lowest over its budgets. Empty if nothing is compared."""
    by_matching: dict[str | None, list[Compared]] = {}
    for compared in compared_studies(plan):
        by_matching.setdefault(compared.matching, []).append(compared)
    return tuple(_rung(plan, matching, places) for matching, places in by_matching.items())


def rung_label(found: Sequence[Rung]) -> str:
    """The label of one rung, or the labels of all matchings, each with its name."""
    if len(found) == 1:
        return found[0].label
    return " | ".join(f"{rung.matching}: {rung.label}" for rung in found)


def _rung(plan: Plan, matching: str | None, places: Sequence[Compared]) -> Rung:
    name = min((rung_of(plan, place.studies) for place in places), key=RUNGS.index)
    same = all(_same_recipe(place.studies) for place in places)
    recipes = "the same recipe" if same else "each arm's own recipe"
    return Rung(
        matching=matching,
        rung=name,
        recipes="same" if same else "own",
        label=f"rung {name}: {_MEANINGS[name]}; {recipes}",
    )


def rung_of(plan: Plan, studies: Sequence[Study]) -> RungName:
    """The highest rung that these studies reach.

    S1 and S2 hold by construction: studies of one budget have equal MACs, and all that inherit
    weights start from the same dense network of a seed.
    """
    known = plan.dense.epochs is not None or not any(study.inherits for study in studies)
    if known and are_equal([training_cost(plan, study) for study in studies]):
        return "SX-B"
    if known and len({epochs_in_all(plan, study) for study in studies}) == 1:
        return "SX-A"
    climbed: RungName = "S2"
    steps: tuple[tuple[RungName, bool], ...] = (
        ("S3.1", len({own_epochs(study) for study in studies}) == 1),
        ("S3.2", _same_recipe(studies)),
        ("S4.1", len({s.sparsifying.epochs if s.sparsifying else 0 for s in studies}) == 1),
        ("S4.2", _same_constants(studies, _PRUNING_RECIPE)),
    )
    for rung, holds in steps:
        if not holds:
            break
        climbed = rung
    return climbed


def _same_recipe(studies: Sequence[Study]) -> bool:
    """Whether all train by one recipe: that of one study's winner, or constants that are equal."""
    chosen_by = {study.recipe_source or study.id for study in studies}
    return len(chosen_by) == 1 or _same_constants(studies, _RECIPE)


def _same_constants(studies: Sequence[Study], prefix: str) -> bool:
    """Whether all values under `prefix` are constants, and the same in all studies."""
    found = set()
    for study in studies:
        under = [d for d in study.space.dimensions if d.path.startswith(prefix)]
        if any(dimension.searched for dimension in under):
            return False
        found.add(tuple(sorted((d.path, describe_domain(d.domain)) for d in under)))
    return len(found) == 1
