"""The trials of a sweep, filed by what tells them apart: dealt, running, ended."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from prunetune.agenda.jobs import JobState
from prunetune.records.record import Phase, Record, TrialSpec

TrialId = tuple[str | None, Phase, int | None, int, str | None]
"""Study, phase, number, seed and the trial whose architecture is trained."""
NONE: Mapping[str, Any] = MappingProxyType({})


class Trials:
    """What a sweep knows of its trials; it is told of every change."""

    def __init__(
        self,
        records: Mapping[str, Record] = NONE,
        dealt: Mapping[str, TrialSpec] = NONE,
        running: Iterable[str] = (),
    ) -> None:
        self.records: dict[str, Record] = {}
        self.dealt: dict[str, TrialSpec] = {}
        self.running: set[str] = set()
        self.idle: dict[str, TrialSpec] = {}
        """Those that were dealt, have no record and do not run."""
        self.log: list[TrialId] = []
        """The trials that something was told of, in the order of the telling."""
        self._keys: dict[TrialId, str] = {}
        self._ended: defaultdict[str | None, list[Record]] = defaultdict(list)
        for spec in dealt.values():
            self.deal(spec)
        for key in running:
            self.begin(key)
        for record in records.values():
            self.end(record)

    def deal(self, spec: TrialSpec) -> None:
        """It exists from now on."""
        self.dealt[spec.key] = spec
        self._keys[_slot(spec)] = spec.key
        self.log.append(_slot(spec))
        if spec.key not in self.records:
            self.idle[spec.key] = spec

    def begin(self, key: str) -> None:
        """It runs."""
        self.log.append(_slot(self.dealt[key]))
        self.running.add(key)
        self.idle.pop(key, None)

    def release(self, key: str) -> None:
        """It runs no more and has no record."""
        self.log.append(_slot(self.dealt[key]))
        self.running.discard(key)
        self.idle[key] = self.dealt[key]

    def end(self, record: Record) -> None:
        """It has a record."""
        self.records[record.key] = record
        self.log.append(_slot(record))
        self.running.discard(record.key)
        self.idle.pop(record.key, None)
        if record.key not in self.dealt:
            self._keys[_slot(record)] = record.key
        self._ended[record.study].append(record)

    def ended(self, study: str) -> Sequence[Record]:
        """The records of a study."""
        return self._ended.get(study, ())

    def at(self, slot: TrialId) -> tuple[JobState, Record | None]:
        """How far the trial in that place is, and its record; ready if it was never dealt."""
        key = self._keys.get(slot)
        if key is None:
            return "ready", None
        if record := self.records.get(key):
            return "done", record
        return ("running" if key in self.running else "dealt"), None


def _slot(trial: TrialSpec | Record) -> TrialId:
    architecture = trial.inputs.get("architecture")
    return (trial.study, trial.phase, trial.number, trial.seed, architecture)
