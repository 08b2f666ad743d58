"""Equal recipe spaces: an arm that may not try a value cannot be blamed for missing it."""

from __future__ import annotations

from collections.abc import Iterator

from prunetune.analysis.audit.case import Case
from prunetune.analysis.audit.rule import Flaw, rule
from prunetune.analysis.evidence.compared import Compared
from prunetune.analysis.format import listing
from prunetune.config.space.space import describe_domain
from prunetune.plan import Study

_RECIPE = "recipe."
_ABSENT = "nothing"


@rule(
    "arms",
    "warning",
    reason="Recipes decide more than methods do: learning-rate schedules alone moved a ResNet-50 "
    "at 95 % sparsity from 29.9 % to 79.6 % (2301.05219, table 4). An arm whose space lacks a "
    "value that another arm has is judged by the space, not by the method.",
)
def unequal_ranges(case: Case) -> Iterator[Flaw]:
    """Values of the recipe that compared arms search in different ranges, or fix differently."""
    places: dict[tuple[str, str], list[str]] = {}
    for compared in case.compared:
        for path, text in _differences(compared):
            places.setdefault((path, text), []).append(compared.name)
    for (path, text), names in places.items():
        yield Flaw(
            "warning",
            f"{path} differs between arms: {text}, at {listing(names)}.",
            "Move the range to the shared `recipe`, or say beside the verdict that the arms had "
            "different recipe spaces.",
        )


def _differences(compared: Compared) -> Iterator[tuple[str, str]]:
    domains = {study.arm: _recipe_domains(study) for study in compared.studies}
    for path in dict.fromkeys(path for known in domains.values() for path in known):
        texts = {arm: known.get(path, _ABSENT) for arm, known in domains.items()}
        if len(set(texts.values())) > 1:
            yield path, "; ".join(f"{arm} {text}" for arm, text in texts.items())


def _recipe_domains(study: Study) -> dict[str, str]:
    return {
        dimension.path: describe_domain(dimension.domain)
        for dimension in study.space.dimensions
        if dimension.path.startswith(_RECIPE)
    }
