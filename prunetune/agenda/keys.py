"""Whether trials that were found in a storage are trials of a plan: their keys, computed again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prunetune.agenda.specs import dense_spec, study_key
from prunetune.plan import Plan
from prunetune.records.key import KEY_VERSIONS
from prunetune.records.record import Record, TrialSpec


def strangers(
    plan: Plan, trials: Iterable[TrialSpec | Record]
) -> Iterator[tuple[TrialSpec | Record, str]]:
    """The trials that are not of the plan, each with the reason.

    A key is a hash of what a trial computes. A trial belongs to the plan if the plan would give the
    same key to its seed, number, configuration and inputs.
    """
    known = {study.id for study in plan.studies}
    for trial in trials:
        if trial.study is not None and trial.study not in known:
            yield trial, f"it is of study {trial.study!r}, which this sweep does not have"
        elif not any(_key(plan, trial, version) == trial.key for version in KEY_VERSIONS):
            yield trial, "its key is not the one that this sweep gives to what it says"


def _key(plan: Plan, trial: TrialSpec | Record, version: int) -> str | None:
    """The key that the plan gives to the trial; None if it cannot have such a trial."""
    if trial.study is None:
        return dense_spec(plan, trial.seed, trial.replicate, version).key
    if trial.number is None:
        return None
    study = plan.study(trial.study)
    try:
        return study_key(
            plan, study, trial.phase, trial.number, trial.seed, trial.config, trial.inputs, version
        )
    except (KeyError, ValueError, TypeError):  # the configuration is of another space
        return None
