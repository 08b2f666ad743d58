"""What broke a trial off, as data, and whether it ends the whole sweep.

A worker describes in JSON what its trial raised. The exception object stays in the worker, because
the driver unpickles nothing. So does a sweep on a cluster's head, whose driver is elsewhere.
"""

from __future__ import annotations

import errno
import json
from dataclasses import dataclass
from typing import Any, Literal

from prunetune.records.files import CorruptFileError, StorageError

STORAGE_ERRNOS = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ESTALE, errno.ENOTCONN}
)
"""A full disk or quota, a file system that is read-only, that fails or that went away."""
DEAD_WORKER = "The actor "
"""The first words of every message of Ray's `RayActorError`, whatever ended the worker."""
DEATHS = (DEAD_WORKER, "The worker died ", "Memory on the node ", "Task was killed due to ")
"""The first words of all of Ray's messages about a worker or node that died."""
CREATION = "raised in its creation task"
"""Ray's words for an actor that died because its own code raised before the first trial."""
PREEMPTED = "the actor's node was preempted: "
"""Ray's words for a node that was taken away with notice (`GenNodeDiedCause` in its source)."""


class WorkerError(RuntimeError):
    """An error in another process that the user can mend, with the exit code of the original."""

    def __init__(self, message: str, exit_code: int) -> None:
        self.exit_code = exit_code
        super().__init__(message)


@dataclass(frozen=True)
class Fault:
    """Why a trial broke off."""

    error: str
    """The exception's class and first line, or that the worker died."""
    traceback: str
    sweep_error: Exception | None = None
    """Ends the sweep instead of the trial: the storage or the user's input is at fault."""
    died: bool = False
    """The worker or its node is gone, by no exception of the trial."""
    hung: bool = False
    """The worker ended itself because the trial gave no sign of life."""
    preempted: bool = False
    """The node was taken away with notice; the trial is not charged for it."""

    @property
    def kind(self) -> Literal["exception", "death", "hang", "preemption"]:
        """The kind of the fault, as the trial's folder keeps it."""
        if self.preempted:
            return "preemption"
        if self.hung:
            return "hang"
        return "death" if self.died else "exception"


def describe(error: Exception) -> str:
    """The facts about an exception that the driver needs, as JSON."""
    full = isinstance(error, OSError) and error.errno in STORAGE_ERRNOS
    facts = {
        "kind": type(error).__name__,
        "message": str(error),
        "storage": full or isinstance(error, StorageError),
        "exit_code": getattr(error, "exit_code", None),
    }
    return json.dumps(facts)


def raised(description: str, traceback: str) -> Fault:
    """The fault of a trial whose worker described the exception."""
    facts = json.loads(description)
    first_line = facts["message"].strip().partition("\n")[0]
    return Fault(f"{facts['kind']}: {first_line}", traceback, _sweep_error(facts))


def lost(text: str) -> Fault:
    """The fault of a trial whose worker could say nothing; `text` is Ray's report of a failure.

    Its first line counts and dates the failure.
    """
    message = text.partition("\n")[2].strip()
    if message.startswith(DEATHS) and CREATION not in message:
        return Fault("the worker died", text, died=True, preempted=PREEMPTED in message)
    return Fault(text.strip().splitlines()[-1], text)


def _sweep_error(facts: dict[str, Any]) -> Exception | None:
    message, exit_code = facts["message"], facts["exit_code"]
    if facts["storage"]:
        return StorageError(message)
    if exit_code is None:
        return None
    from prunetune.data.files import CorruptDataError, DataMissingError  # imports torch

    kinds = {kind.__name__: kind for kind in (CorruptDataError, CorruptFileError, DataMissingError)}
    kind = kinds.get(facts["kind"])
    return kind(message) if kind else WorkerError(message, exit_code)
