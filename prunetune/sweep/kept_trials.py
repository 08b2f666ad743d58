"""Refuses to take the trials of another sweep for answers to this one's question."""

from __future__ import annotations

from prunetune.agenda.keys import strangers
from prunetune.plan import Plan
from prunetune.records.files import CorruptFileError, StoredFile
from prunetune.records.record import Record, TrialSpec
from prunetune.records.store import Store


class OtherQuestionError(ValueError):
    """The storage holds the trials of another sweep of the same name."""

    exit_code = 2


def check_kept_trials(plan: Plan, store: Store, *, planned: bool) -> None:
    """Compare the keys of all trials in the storage with those that `plan` would give.

    Args:
        plan: the sweep as it is about to run.
        store: its storage.
        planned: whether plan.json is there and agrees with the plan.

    Raises:
        OtherQuestionError: plan.json is gone, and the trials are not of this plan.
        CorruptFileError: a record or trial was changed, or is damaged.
    """
    records = store.records()
    dealt = store.trials(without=records)
    found = list(strangers(plan, [*records.values(), *dealt.values()]))
    if not found:
        return
    trial, reason = found[0]
    first = f"{_file(store, trial)}: {reason}"
    if planned:
        others = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        raise CorruptFileError(
            f"{first}; it was changed, or another version of prunetune wrote it: move it away, "
            f"and its trial runs again{others}"
        )
    raise OtherQuestionError(
        f"the storage holds {len(found)} of {len(records) + len(dealt)} trials that do not answer "
        f"the question of this sweep file, and plan.json, which says what they answer, is gone\n"
        f"  {first}\n"
        "  restore plan.json or the sweep file; to ask another question, choose another name"
    )


def _file(store: Store, trial: TrialSpec | Record) -> StoredFile:
    if isinstance(trial, Record):
        return store.record_file(trial.key)
    return store.trial_folder(trial.key).trial
