"""The trials of a sweep: which were dealt, which run, which ended."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Generic

from prunetune.agenda.jobs import JobState
from prunetune.records.record import Phase, Record, TrialSpec
from prunetune.records.trial_outcome import EndedT, EndedTrial

TrialId = tuple[str | None, Phase, int | None, int, str | None]
"""Study, phase, number, seed, and the key of the trial whose architecture is trained."""
NO_TRIALS: Mapping[str, Any] = MappingProxyType({})


class Trials(Generic[EndedT]):
    """All trials of a sweep. The owner reports every change through the methods.

    Args:
        records: the trials that have ended, each as its record or its outcome, by key.
        dealt: trials that were dealt.
        running: the keys of those that run.
        read: reads a record in full; needed where trials are kept as outcomes.
    """

    def __init__(
        self,
        records: Mapping[str, EndedT] = NO_TRIALS,
        dealt: Mapping[str, TrialSpec] = NO_TRIALS,
        running: Iterable[str] = (),
        read: Callable[[str], Record] | None = None,
    ) -> None:
        self.records: dict[str, EndedT] = {}
        self.dealt: dict[str, TrialSpec] = {}
        """Trials that were dealt and have not ended."""
        self.running: set[str] = set()
        self.idle: dict[str, TrialSpec] = {}
        """Trials that were dealt, have no record and do not run."""
        self.log: list[TrialId] = []
        """The trials that changed, oldest change first: tells caches which results to drop."""
        self._keys: dict[TrialId, str] = {}
        self._ended: defaultdict[str | None, list[EndedT]] = defaultdict(list)
        self._read = read
        for spec in dealt.values():
            self.deal(spec)
        for key in running:
            self.begin(key)
        for record in records.values():
            self.end(record)

    def deal(self, spec: TrialSpec) -> None:
        """Note that a trial was dealt."""
        self.dealt[spec.key] = self.idle[spec.key] = spec
        self._keys[_trial_id(spec)] = spec.key
        self.log.append(_trial_id(spec))

    def begin(self, key: str) -> None:
        """Note that the trial runs."""
        self.log.append(_trial_id(self.dealt[key]))
        self.running.add(key)
        self.idle.pop(key, None)

    def release(self, key: str) -> None:
        """Note that the trial stopped running without a record."""
        self.log.append(_trial_id(self.dealt[key]))
        self.running.discard(key)
        self.idle[key] = self.dealt[key]

    def end(self, record: EndedT) -> None:
        """Note that a trial ended with this record."""
        self.records[record.key] = record
        self.log.append(_trial_id(record))
        self.running.discard(record.key)
        self.idle.pop(record.key, None)
        if self.dealt.pop(record.key, None) is None:
            self._keys[_trial_id(record)] = record.key
        self._ended[record.study].append(record)

    def ended(self, study: str) -> Sequence[EndedT]:
        """The records of a study."""
        return self._ended.get(study, ())

    def in_full(self, keys: Iterable[str]) -> dict[str, Record]:
        """The whole records of trials that have ended, by key.

        Raises:
            CorruptFileError: a record that has to be read is damaged.
            StorageError: it cannot be read.
        """
        return {key: self._whole(self.records[key]) for key in keys}

    def _whole(self, trial: EndedTrial) -> Record:
        if isinstance(trial, Record):
            return trial
        assert self._read is not None
        return self._read(trial.key)

    def at(self, trial_id: TrialId) -> tuple[JobState, EndedT | None]:
        """The state of the trial and its record; `ready` if it was never dealt."""
        key = self._keys.get(trial_id)
        if key is None:
            return "ready", None
        if record := self.records.get(key):
            return "done", record
        return ("running" if key in self.running else "dealt"), None


def _trial_id(trial: TrialSpec | EndedTrial) -> TrialId:
    architecture = trial.inputs.get("architecture")
    return (trial.study, trial.phase, trial.number, trial.seed, architecture)
