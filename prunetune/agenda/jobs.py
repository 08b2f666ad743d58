"""Jobs: the trials that a plan owes, how far each is, and what it starts from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from prunetune.records.answers import Answer
from prunetune.records.record import Phase, Record
from prunetune.spec.plan import Study

State = Literal["done", "running", "dealt", "ready", "waiting", "closed"]
"""dealt: it was dealt, has no record and is not running. waiting: for what it starts from."""


@dataclass(frozen=True, slots=True)
class Job:
    """One trial that the plan owes."""

    study: str | None
    phase: Phase
    index: int
    """Which of its study and phase: the number of a search trial, else the place of its seed."""
    seed: int
    state: State
    number: int | None = None
    inputs: Mapping[str, str] = field(default_factory=dict)
    record: Record | None = None
    reason: str = ""
    """Why it is closed, or what it waits for."""


@dataclass(frozen=True)
class StudyWork:
    """The jobs of one study."""

    study: Study
    answer: Answer
    search: tuple[Job, ...]
    rescores: tuple[Job, ...]
    confirms: tuple[Job, ...]
    settled: bool
    """Whether the winner (or that there is none) is final."""

    @property
    def jobs(self) -> tuple[Job, ...]:
        """All of them, phase by phase."""
        return self.search + self.rescores + self.confirms

    @property
    def winner(self) -> Record | None:
        """The final winner."""
        return self.answer.winner if self.settled else None


@dataclass(frozen=True)
class Start:
    """What a trial starts from: keys by role, or why there are none (yet)."""

    state: Literal["ready", "waiting", "closed"]
    inputs: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""

    def __add__(self, other: Start) -> Start:
        for state in ("closed", "waiting"):
            for start in (self, other):
                if start.state == state:
                    return start
        return Start("ready", {**self.inputs, **other.inputs})


def outcome(job: Job, role: str, name: str) -> Start:
    """What a job leaves to those that stand on it."""
    what = f"{name} (seed {job.seed})"
    if job.state == "closed":
        return Start("closed", reason=f"{what} is closed: {job.reason}")
    if job.record is None:
        return Start("waiting", reason=f"waits for {what}")
    if job.record.status != "completed":
        error = f": {job.record.error}" if job.record.error else ""
        return Start("closed", reason=f"{what} ended as {job.record.status}{error}")
    return Start("ready", {role: job.record.key})
