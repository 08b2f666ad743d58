"""The trials of a sweep that have begun and have no record: what they are, where, since when."""

from __future__ import annotations

from collections.abc import Iterable

from prunetune.config.parts import Params
from prunetune.records.cost_meter import Spent, read_spent
from prunetune.records.record import TrialSpec
from prunetune.records.store import Store


class UnfinishedTrial(Params):
    """One trial that has begun, or was dealt and waits for a worker."""

    key: str
    study: str
    """Its study; `dense` for a dense network."""
    phase: str
    number: int | None
    seed: int
    epochs_planned: int
    epoch: int | None = None
    """The last epoch that was begun; None while its network is made, and before a worker has it."""
    host: str | None = None
    """Where it runs, or ran last; None if no worker has had it yet."""
    process: int | None = None
    since: str | None = None
    """When that process began with it; ISO 8601 in UTC."""
    last_sign: str | None = None
    """When it last wrote down what it spent, which it does before each epoch."""

    @property
    def name(self) -> str:
        """The trial in a few words."""
        which = f"#{self.number}" if self.phase == "search" else f"seed {self.seed}"
        study = "" if self.study == "dense" else f"{self.study} "
        return f"{study}{self.phase} {which} ({self.key})"

    def sentence(self) -> str:
        """What is known of it."""
        if self.host is None:
            return f"{self.name}: waits for a worker"
        epoch = "before its first epoch"
        if self.epoch is not None:
            epoch = f"in epoch {self.epoch} of {self.epochs_planned}"
        return (
            f"{self.name}: {epoch}, process {self.process} on {self.host} since {self.since}, "
            f"last sign of life {self.last_sign}"
        )


def unfinished_trials(store: Store, dealt: Iterable[TrialSpec]) -> tuple[UnfinishedTrial, ...]:
    """What is known of the trials in `dealt`, the one that has run longest first."""
    trials = [_trial(spec, read_spent(store.trial_folder(spec.key).spent)) for spec in dealt]
    return tuple(sorted(trials, key=lambda trial: (trial.since or "~", trial.key)))


def _trial(spec: TrialSpec, spent: Spent | None) -> UnfinishedTrial:
    known = {}
    if spent is not None and spent.host:
        known = {
            "epoch": spent.begun.get("checkpoint", spent.begun.get("shrinking")),
            "host": spent.host,
            "process": spent.process,
            "since": spent.since,
            "last_sign": spent.at,
        }
    return UnfinishedTrial(
        key=spec.key,
        study=spec.study or "dense",
        phase=spec.phase,
        number=spec.number,
        seed=spec.seed,
        epochs_planned=spec.epochs,
        **known,
    )
