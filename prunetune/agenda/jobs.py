"""Jobs: the trials that a plan owes, how far each is, and what it starts from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from prunetune.records.record import Phase, Record

JobState = Literal["done", "running", "dealt", "ready", "waiting", "closed"]
"""dealt: it was dealt, has no record and is not running. waiting: for what it starts from."""
STARTED: frozenset[JobState] = frozenset({"done", "running", "dealt"})


@dataclass(frozen=True, slots=True)
class Job:
    """One trial that the plan owes."""

    study: str | None
    phase: Phase
    index: int
    """Which of its study and phase: the number of a search trial, else the place of its seed."""
    seed: int
    state: JobState
    number: int | None = None
    inputs: Mapping[str, str] = field(default_factory=dict)
    record: Record | None = None
    reason: str = ""
    """Why it is closed, or what it waits for."""
    fault: bool = False
    """Whether it is closed by a trial that failed, and may open when that is run again."""


@dataclass(frozen=True)
class Queue:
    """Jobs in the order in which they are dealt."""

    jobs: tuple[Job, ...]

    @cached_property
    def started(self) -> int:
        """How many were dealt."""
        return sum(job.state in STARTED for job in self.jobs)

    @cached_property
    def ready(self) -> Job | None:
        """The next one that can be dealt."""
        return next((job for job in self.jobs if job.state == "ready"), None)

    @cached_property
    def complete(self) -> bool:
        """Whether all have records."""
        return all(job.state == "done" for job in self.jobs)


@dataclass(frozen=True)
class Start:
    """What a trial starts from: keys by role, or why there are none (yet)."""

    state: Literal["ready", "waiting", "closed"]
    inputs: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""
    fault: bool = False
    """Whether what is missing failed."""

    def __add__(self, other: Start) -> Start:
        for state in ("closed", "waiting"):
            for start in (self, other):
                if start.state == state:
                    return start
        return Start("ready", {**self.inputs, **other.inputs})


@dataclass(frozen=True)
class SearchState:
    """The search of one study, and what came of it."""

    start: Start
    """What its trials start from."""
    queue: Queue
    """Its trials, and once they are complete the re-scores of the best."""
    settled: bool
    """Whether the winner (or that there is none) is final."""
    winner: Record | None
    """The final winner."""

    @property
    def fault(self) -> bool:
        """Whether there is no winner and a trial that failed might have been it."""
        failed = any(job.record and job.record.status == "failed" for job in self.queue.jobs)
        return self.start.fault or (self.settled and self.winner is None and failed)


def outcome(job: Job, role: str, name: str) -> Start:
    """What a job leaves to those that stand on it."""
    what = f"{name} (seed {job.seed})"
    if job.state == "closed":
        return Start("closed", reason=f"{what} is closed: {job.reason}", fault=job.fault)
    if job.record is None:
        return Start("waiting", reason=f"waits for {what}")
    if job.record.status != "completed":
        error = f": {job.record.error}" if job.record.error else ""
        reason = f"{what} ended as {job.record.status}{error}"
        return Start("closed", reason=reason, fault=job.record.status == "failed")
    return Start("ready", {role: job.record.key})
