"""The rung of a comparison, derived from the plan, against set-ups whose rung is known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from prunetune.analysis.evidence.rungs import RUNGS, rung_label, rung_of, rungs
from prunetune.analysis.evidence.training_cost import are_equal, epochs_in_all, training_cost
from prunetune.config.space.space import Constant, Dimension, Space
from prunetune.plan import Plan, Sparsifying, Study
from tests.analysis.sweeps import make_plan

DENSE, FINETUNE = 50, 20


def set_up(change: Callable[[Study], dict[str, Any]], matching: str = "marginal") -> Plan:
    """Thin and pruned networks at two budgets, with changed studies."""
    plan = make_plan(matchings=(matching,))
    studies = tuple(s.model_copy(update=change(s)) for s in plan.studies)
    return plan.model_copy(update={"studies": studies})


def constants(**values: object) -> Space:
    paths = {name.replace("__", "."): value for name, value in values.items()}
    return Space(
        dimensions=tuple(Dimension(path=p, domain=Constant(value=v)) for p, v in paths.items())
    )


SAME = constants(recipe__lr=0.1)


def thin(**fields: Any) -> Callable[[Study], dict[str, Any]]:
    return lambda study: fields if study.arm == "thin" else {}


def pruned(**fields: Any) -> Callable[[Study], dict[str, Any]]:
    return lambda study: {"space": SAME} | (fields if study.arm == "pruned" else {})


def scratch_b(study: Study) -> dict[str, Any]:
    matched = round(DENSE / float(study.budget or 1) + FINETUNE)
    return {"epochs": matched} if study.arm == "thin" else {}


@pytest.mark.parametrize(
    ("plan", "rung"),
    [
        (set_up(thin(epochs=DENSE), "scratch_e"), "S2"),
        (set_up(thin()), "S3.1"),  # equal epochs, each arm's own recipe
        (set_up(lambda s: {"space": SAME}), "S4.2"),
        (set_up(pruned(space=constants(recipe__lr=0.01))), "S3.1"),
        (set_up(pruned(sparsifying=Sparsifying(epochs=5, then=FINETUNE))), "S3.2"),
        (set_up(thin(epochs=DENSE + FINETUNE)), "SX-A"),
        (set_up(scratch_b, "scratch_b"), "SX-B"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_rung_follows_from_the_plan(plan: Plan, rung: str) -> None:
    (found,) = rungs(plan)
    assert found.rung == rung
    assert found.label.startswith(f"rung {rung}: ")
    assert rung_label([found]) == found.label


def test_recipes_are_the_same_only_if_they_are_constants_and_equal() -> None:
    assert rungs(set_up(thin()))[0].recipes == "own"
    assert rungs(set_up(lambda s: {"space": SAME}))[0].recipes == "same"


def test_a_recipe_that_is_taken_over_is_the_same() -> None:
    def lent(study: Study) -> dict[str, Any]:
        lender = f"thin@{study.budget} marginal"
        return {"recipe_source": lender, "trials": 0} if study.arm == "pruned" else {}

    (found,) = rungs(set_up(lent))
    assert (found.rung, found.recipes) == ("S4.2", "same")


def test_a_matching_is_as_good_as_its_weakest_budget() -> None:
    plan = set_up(lambda s: scratch_b(s) if s.budget == 0.5 else {}, "scratch_b")
    at = {b: [s for s in plan.studies if s.budget == b] for b in (0.5, 0.25)}
    each = {budget: rung_of(plan, studies) for budget, studies in at.items()}
    assert each == {0.5: "SX-B", 0.25: "S3.1"}
    assert rungs(plan)[0].rung == "S3.1"


def test_matchings_are_told_apart() -> None:
    plan = make_plan(matchings=("marginal", "scratch_b"))
    found = rungs(plan)
    assert [rung.matching for rung in found] == ["marginal", "scratch_b"]
    assert rung_label(found).count("rung S3.1") == 2


def test_unknown_epochs_of_a_dense_network_are_never_called_equal() -> None:
    plan = set_up(thin(epochs=FINETUNE))
    dense = plan.dense.model_copy(update={"epochs": None, "source": "checkpoint"})
    assert rungs(plan.model_copy(update={"dense": dense}))[0].rung == "S3.1"


def test_costs_add_up_epoch_by_epoch() -> None:
    plan = make_plan()
    for study in plan.studies:
        inherited = DENSE if study.inherits else 0
        assert epochs_in_all(plan, study) == study.epochs + inherited
        per_epoch = 3 * plan.train_size
        own = per_epoch * study.target_macs * study.epochs
        assert training_cost(plan, study, with_dense=False) == own
        assert training_cost(plan, study) == own + per_epoch * plan.dense.macs * inherited
    assert are_equal([100, 105])
    assert not are_equal([100, 106])


def test_nothing_to_compare_has_no_rung() -> None:
    assert rungs(make_plan({"thin": "width_scaling"})) == ()
    assert len(RUNGS) == 8
