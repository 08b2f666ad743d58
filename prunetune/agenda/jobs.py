"""Jobs: the trials that a plan consists of, the state of each, and what it starts from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Generic, Literal

from prunetune.agenda.outcomes import Pick
from prunetune.records.record import Phase
from prunetune.records.trial_outcome import EndedT

JobState = Literal["done", "running", "dealt", "ready", "waiting", "closed"]
"""dealt: it has neither a record nor a worker. waiting: an input does not exist yet.
closed: an input will never exist."""
STARTED: frozenset[JobState] = frozenset({"done", "running", "dealt"})


@dataclass(frozen=True, slots=True)
class Job(Generic[EndedT]):
    """One trial of the plan."""

    study: str | None
    phase: Phase
    index: int
    """Position within its study and phase: the number of a search trial, else that of its seed;
    for a dense network the replicate."""
    seed: int
    state: JobState
    number: int | None = None
    inputs: Mapping[str, str] = field(default_factory=dict)
    record: EndedT | None = None
    reason: str = ""
    """Why it is closed, or what it waits for."""
    fault: bool = False
    """Whether a failed trial closed it, so that it may open when that trial is run again."""


@dataclass(frozen=True)
class Queue(Generic[EndedT]):
    """Jobs in the order in which they are dealt."""

    jobs: tuple[Job[EndedT], ...]

    @cached_property
    def started(self) -> int:
        """The number of jobs that were dealt."""
        return sum(job.state in STARTED for job in self.jobs)

    @cached_property
    def ready(self) -> Job[EndedT] | None:
        """The next job that can be dealt."""
        return next((job for job in self.jobs if job.state == "ready"), None)

    @cached_property
    def complete(self) -> bool:
        """Whether all jobs have records."""
        return all(job.state == "done" for job in self.jobs)


@dataclass(frozen=True)
class Start:
    """The inputs of a trial: keys by role, or the reason why an input is missing."""

    state: Literal["ready", "waiting", "closed"]
    inputs: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""
    fault: bool = False
    """Whether an input is missing because a trial failed."""

    def __add__(self, other: Start) -> Start:
        """The inputs of both; closed if one is closed, else waiting if one waits."""
        for state in ("closed", "waiting"):
            for start in (self, other):
                if start.state == state:
                    return start
        return Start("ready", {**self.inputs, **other.inputs})


@dataclass(frozen=True)
class SearchState(Generic[EndedT]):
    """How far the search of one study is."""

    start: Start
    """What its trials start from."""
    queue: Queue[EndedT]
    """Its trials, and once these are complete the re-scores of the finalists."""
    settled: bool
    """Whether the search is over, with or without a winner."""
    winner: EndedT | None
    """The final winner; None where nothing is searched."""
    pick: Pick | None
    """The configuration of its confirm trials, once that is final."""

    @property
    def fault(self) -> bool:
        """Whether there is no winner and a trial failed that might have won."""
        failed = any(job.record and job.record.status == "failed" for job in self.queue.jobs)
        return self.start.fault or (self.settled and self.pick is None and failed)

    @property
    def winner_start(self) -> Start:
        """Whether the study's own confirm trials have a configuration to train."""
        if self.start.state == "closed":
            return self.start
        if not self.settled:
            return Start("waiting", reason=self.start.reason or "its search is under way")
        if self.pick is None:
            reason = "no trial of its search completed"
            return Start("closed", reason=reason, fault=self.fault)
        return Start("ready")

    def recipe_start(self, study: str) -> Start:
        """What trials start from that are trained by the winning recipe of this `study`."""
        if self.pick:
            return Start("ready")
        return self._without_winner(study)

    def architecture_start(self, study: str) -> Start:
        """What searches that train the winning architecture of this `study` start from."""
        if self.winner:
            return Start("ready", {"architecture": self.winner.key})
        return self._without_winner(study)

    def _without_winner(self, study: str) -> Start:
        if self.settled:
            return Start("closed", reason=f"{study} has no winner", fault=self.fault)
        return Start("waiting", reason=f"{study} has no winner yet")


def start_from(job: Job[Any], role: str, name: str) -> Start:
    """What trials start from that take the result of `job` (called `name`) in the given role."""
    title = f"{name} (seed {job.seed})"
    if job.state == "closed":
        return Start("closed", reason=f"{title} is closed: {job.reason}", fault=job.fault)
    if job.record is None:
        return Start("waiting", reason=f"waits for {title}")
    if job.record.status != "completed":
        error = f": {job.record.error}" if job.record.error else ""
        reason = f"{title} ended as {job.record.status}{error}"
        return Start("closed", reason=reason, fault=job.record.status == "failed")
    return Start("ready", {role: job.record.key})
