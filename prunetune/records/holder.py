"""Who holds a lock: a process of a machine, and whether it still lives."""

from __future__ import annotations

import os
import socket
import uuid
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from prunetune.records.files import to_json


class Holder(BaseModel):
    """What a lock says of the process that holds it, or that held it last."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    token: str
    """Tells this holding of the lock from every other."""
    host: str
    machine: str
    """Tells machines, their starts and their containers apart; equal where a pid means the same."""
    pid: int
    started: int
    """When the process began, so that another one with the same pid is not taken for it."""
    since: str
    beat: str
    """When the holder last showed that it lives, by the clock of its machine."""
    free: bool = False
    """Whether the lock was given back."""

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}, since {self.since}"

    def lives_here(self) -> bool | None:
        """Whether the process lives; None if it is one of another machine."""
        if self.machine != _machine():
            return None
        return _start_of(self.pid) == self.started

    def beats(self, within_s: float) -> bool:
        """Whether the last sign of life is that young, if the clocks of both machines agree."""
        age = datetime.now(UTC) - datetime.fromisoformat(self.beat)
        return abs(age.total_seconds()) < within_s

    def content(self, free: bool = False) -> bytes:
        """What stands in the lock, with a new sign of life."""
        return to_json(self.model_copy(update={"beat": _now(), "free": free}))


def this_process() -> Holder:
    """This process as the holder of a lock."""
    pid, now = os.getpid(), _now()
    return Holder(
        token=uuid.uuid4().hex,
        host=socket.gethostname(),
        machine=_machine(),
        pid=pid,
        started=_start_of(pid) or 0,
        since=now,
        beat=now,
    )


def read_holder(content: bytes) -> Holder | None:
    """The holder in a lock; None if nobody holds it, or if the content is damaged."""
    try:
        holder = Holder.model_validate_json(content)
        datetime.fromisoformat(holder.beat)
    except (ValidationError, ValueError):
        return None
    return None if holder.free else holder


@lru_cache(maxsize=1)
def _machine() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{os.stat('/proc/self/ns/pid').st_ino}"
    except OSError:  # not Linux
        return f"{socket.gethostname()}/{uuid.getnode():x}"


def _start_of(pid: int) -> int | None:
    """When the process began, in ticks since the machine did; None if there is no such process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return None if Path("/proc/self/stat").exists() else _alive(pid)
    except OSError:
        return None
    state, *fields = text.rpartition(")")[2].split()
    return None if state in ("Z", "X") else int(fields[18])


def _alive(pid: int) -> int | None:
    """0 if the process lives, where nothing tells when it began."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass
    return 0


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")
