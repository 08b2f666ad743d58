"""What to do about a study that cannot run."""

from __future__ import annotations

import math

from prunetune.plan import Plan, Study


def cure_of(plan: Plan, study: Study) -> str | None:
    """What to change in the sweep file so that the study runs; None if it does."""
    if plan.infeasible(study.id) is None:
        return None
    leave = f"leave {study.arm} out of this budget: the other arms are compared without it"
    for source in (study.source, study.recipe_source):
        if source is not None and plan.infeasible(source):
            return f"it stands on {source}: see there, or {leave}"
    if not study.reach:
        return leave
    smallest = min(reach.smallest_macs for reach in study.reach)
    if smallest > study.target_macs:
        share = math.ceil(1e4 * smallest / plan.dense.macs) / 1e4
        return f"give a budget of {share:g} or more, or {leave}"
    nearest = max(
        (r.nearest_macs for r in study.reach if r.nearest_macs <= study.target_macs), default=0
    )
    if nearest:
        tolerance = math.ceil(1e4 * (1 - nearest / study.target_macs)) / 1e4
        return f"set tolerance to {tolerance:g} or more, name another budget, or {leave}"
    return f"name another budget, or {leave}"
