"""What the confirm seeds of each study gave, which were lost, and which are still to come."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import fmean, median

from prunetune.agenda.outcomes import StudyOutcome, study_outcomes
from prunetune.plan import Plan, Study
from prunetune.records.record import Frozen, Record
from prunetune.records.seeds import confirm_seed, search_seed


class Loss(Frozen):
    """A confirm seed that gave no accuracy, or one near chance (which stays in the mean)."""

    seed: int
    status: str
    """diverged, infeasible, failed; closed: what it stands on was lost; collapsed."""
    error: str | None = None


@dataclass(frozen=True)
class Confirmed:
    """The confirm seeds of one study's winner."""

    study: Study
    answer: StudyOutcome
    values: Mapping[int, float]
    """Seed -> test accuracy."""
    lost: tuple[Loss, ...] = ()
    pending: tuple[int, ...] = ()
    macs: float | None = None
    """Mean of the achieved MACs."""
    params: float | None = None
    train_macs: float | None = None
    """Mean training MACs of one such network, from nothing."""

    @property
    def flattered(self) -> bool:
        """Whether what is left over makes the arm look better than it is: seeds lost by its own
        doing, or a whole search."""
        ends = [loss.status for loss in self.lost]
        if self.answer.winner is None:
            ends += [record.status for record in self.answer.search]
        return any(end in ("diverged", "infeasible") for end in ends)


def grain(plan: Plan) -> float:
    """The step in which test accuracies come: one image."""
    return 1 / plan.test_size if plan.test_size else 0.0


def confirmed(plan: Plan, records: Mapping[str, Record]) -> dict[str, Confirmed]:
    """The confirm seeds of every study, by the study's id."""
    found = study_outcomes(plan.studies, records, plan.confirm.top)
    dense = {r.seed: r for r in records.values() if r.phase == "dense"}
    return {study.id: _confirmed(plan, study, found, dense) for study in plan.studies}


def _confirmed(
    plan: Plan, study: Study, found: Mapping[str, StudyOutcome], dense: Mapping[int, Record]
) -> Confirmed:
    ended = {r.seed: r for r in found[study.id].confirms}
    values = {s: r.test_acc1 for s, r in ended.items() if r.test_acc1 is not None}
    good = [r for s, r in ended.items() if s in values]
    planned = [confirm_seed(study.replicate, j) for j in range(plan.confirm.seeds)]
    reasons = {s: _closed(plan, study, s, found, dense) for s in planned if s not in ended}
    lost = [
        Loss(seed=s, status=r.status, error=r.error) for s, r in ended.items() if s not in values
    ]
    lost += [Loss(seed=s, status="closed", error=why) for s, why in reasons.items() if why]
    return Confirmed(
        study,
        found[study.id],
        values,
        (*lost, *collapsed(values, plan.dense.architecture.get("classes"))),
        tuple(s for s, why in reasons.items() if not why),
        macs=_mean(r.macs for r in good),
        params=_mean(r.params for r in good),
        train_macs=_mean(r.train_macs.total for r in good),
    )


def _mean(values: Iterable[int | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def collapsed(values: Mapping[int, float], classes: int | None) -> list[Loss]:
    """Seeds nearer to chance than to the median of all."""
    if not values or not classes:
        return []
    middle = median(values.values())
    return [
        Loss(seed=seed, status="collapsed", error=f"test accuracy {value:.4f}")
        for seed, value in values.items()
        if value < (middle + 1 / classes) / 2 and value < middle
    ]


def _closed(
    plan: Plan,
    study: Study,
    seed: int,
    found: Mapping[str, StudyOutcome],
    dense: Mapping[int, Record],
) -> str | None:
    """Why a confirm seed without a record will never have one; None if it may still come."""
    answer = found[study.id]
    if study.infeasible:
        return study.infeasible
    if answer.winner is None and len(answer.search) >= study.trials:
        return "no trial of the search completed"
    if study.source:
        upstream = {r.seed: r for r in found[study.source].confirms}.get(seed)
        if upstream is None:
            why = _closed(plan, plan.study(study.source), seed, found, dense)
            return f"{study.source}: {why}" if why else None
        return None if upstream.status == "completed" else f"{study.source}: {upstream.status}"
    searched = search_seed(study.replicate, 0) if plan.dense.source == "train" else 0
    starts = [searched, *([seed] if plan.dense_fresh else [])] if study.inherits else []
    ends = [dense[start].status for start in starts if start in dense]
    return next((f"dense network: {end}" for end in ends if end != "completed"), None)
