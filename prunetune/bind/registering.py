"""The tests by which a sweep will be judged, chosen from its design before it runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from prunetune.bind.family import pairs_of_arms
from prunetune.config.file.model import SweepSpec
from prunetune.config.problems.errors import Problems
from prunetune.config.search import Confirm
from prunetune.plan import Comparison, Study, is_searched, starts_from_dense
from prunetune.registration import (
    FrontierComparison,
    FrontierForm,
    Look,
    Registration,
)
from prunetune.statistics.frontier import LEAST_BUDGETS
from prunetune.statistics.intervals import ALPHA
from prunetune.statistics.looks import look_levels

ENOUGH_SEARCHES = 3
"""Searches per study whose scatter is an error of its own."""


def check_tests(spec: SweepSpec, problems: Problems) -> None:
    """Refuse looks where they cannot decide, and together with contrasts of frontiers."""
    confirm = spec.confirm
    if confirm.looks is None:
        return
    if spec.search.replicates > 1:
        problems.add(
            ("confirm", "looks"),
            "with several searches the searches are the independent results, and more seeds of "
            "them decide nothing",
            value=list(confirm.looks),
            allowed="null, or search.replicates: 1",
        )
    if confirm.contrasts:
        problems.add(
            ("confirm", "contrasts"),
            "looks judge single budgets, whose numbers of seeds then differ; frontiers need the "
            "same seeds at every budget",
            value=list(confirm.contrasts),
            allowed="[] or null, or confirm.looks: null",
        )


def register(
    studies: tuple[Study, ...],
    family: tuple[Comparison, ...],
    confirm: Confirm,
    replicates: int,
    *,
    one_dense_each: bool = False,
) -> Registration:
    """The tests of a sweep with so many searches per study.

    `one_dense_each`: each replicate of the search trains one dense network for all of its seeds.
    Area and tilt of two frontiers are tested where both arms have four budgets in common, or two if
    the file asks for them. Several looks judge single budgets.
    """
    if confirm.looks is not None:
        levels = look_levels(confirm.looks, ALPHA / max(1, len(family)))
        pairs = zip(confirm.looks, levels, strict=True)
        return Registration(looks=tuple(Look(seeds=n, level=level) for n, level in pairs))
    least = LEAST_BUDGETS if confirm.contrasts is None else 2
    compared = frontier_comparisons(
        studies, confirm.control, replicates, least, one_dense_each=one_dense_each
    )
    frontiers = tuple(compared)
    contrasts = ("area", "tilt") if confirm.contrasts is None else confirm.contrasts
    if not contrasts or not frontiers:
        return Registration()
    return Registration(contrasts=contrasts, frontiers=frontiers)


def frontier_comparisons(
    studies: tuple[Study, ...],
    control: str | None,
    replicates: int,
    least_budgets: int,
    *,
    one_dense_each: bool = False,
) -> Iterator[FrontierComparison]:
    """The pairs of arms whose frontiers are compared: those with `least_budgets` in common.

    Budgets in terms of sparsity have no MACs of their own and are left out. With two searches per
    study and few budgets there is no error to judge by, and no comparison.
    """
    with_macs = [s for s in studies if isinstance(s.budget, float) and s.replicate == 0]
    for (matching, a, b), sides in pairs_of_arms(with_macs, control).items():
        met = [{s.budget for s in side if not s.infeasible} for side in sides]
        common = [s for s in sides[0] if s.budget in met[0] & met[1]]
        heirs = [s for side in sides for s in side if starts_from_dense(s, studies)]
        shared = one_dense_each and bool(heirs)
        form = frontier_form(sides, studies, replicates, len(common), one_dense_each=shared)
        if len(common) >= least_budgets and form is not None:
            yield FrontierComparison(
                matching=matching,
                a=a,
                b=b,
                budgets=tuple(s.budget for s in common),
                target_macs=tuple(s.target_macs for s in common),
                form=form,
            )


def frontier_form(
    sides: tuple[Sequence[Study], Sequence[Study]],
    studies: Sequence[Study],
    replicates: int,
    budgets: int,
    *,
    one_dense_each: bool = False,
) -> FrontierForm | None:
    """What the error of a frontier of so many budgets can hold; None if nothing."""
    if not any(is_searched(study, studies) for side in sides for study in side):
        return "stated"
    if replicates >= ENOUGH_SEARCHES and one_dense_each:
        return "repeated"
    if replicates >= ENOUGH_SEARCHES or budgets >= LEAST_BUDGETS:
        return "searched"
    return "found" if replicates == 1 else None
