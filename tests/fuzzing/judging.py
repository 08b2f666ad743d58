"""What a mutated file did to a verb, and what is wrong with that."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.cli.command import prunetune

MOST_SECONDS = 1.0
"""Processor seconds that one run of a verb may take once its libraries are loaded."""
MOST_BYTES = 200_000_000
"""Memory that it may take beyond what the process has."""
LONGEST_WORDS = 30_000
"""Characters that it may say; a terminal shows a few thousand."""
_STUCK_S = 30


class StuckError(Exception):
    """A verb took far longer than it may."""


@dataclass(frozen=True)
class Tried:
    """One run of a verb on a mutated file."""

    kinds: tuple[str, ...]
    code: int | None
    """The exit code; None where the verb raised."""
    said: str
    """What it printed on standard error, or the exception."""
    seconds: float
    bytes: int

    def complaints(self, allowed: Sequence[int]) -> Iterator[str]:
        """What is wrong with it; `allowed` are the exit codes that it may have."""
        if self.code is None:
            yield f"raised {self.said}"
        elif self.code not in allowed:
            yield f"exit code {self.code}: {self.said[:200]}"
        elif self.code and not self.said.startswith("prunetune: "):
            yield f"exit code {self.code} without a reason: {self.said[:200]!r}"
        if "Traceback" in self.said:
            yield "prints a traceback"
        if self.seconds > MOST_SECONDS:
            yield f"takes {self.seconds:.1f} s"
        if self.bytes > MOST_BYTES:
            yield f"takes {self.bytes / 1e6:.0f} MB"
        if len(self.said) > LONGEST_WORDS:
            yield f"says {len(self.said):,} characters"


def tried(kinds: tuple[str, ...], *words: object) -> Tried:
    """Run a verb in this process and measure it."""
    Path("/proc/self/clear_refs").write_text("5")  # the peak of memory starts anew
    before, start = _memory("VmRSS"), time.process_time()
    code, said = None, ""
    try:
        with _alarm():
            done = prunetune(*words)
        code, said = done.returncode, done.stderr
    except Exception as error:
        said = f"{type(error).__name__}: {str(error)[:500]}"
    seconds = time.process_time() - start
    return Tried(kinds, code, said, seconds, _memory("VmHWM") - before)


def _memory(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))


@contextmanager
def _alarm() -> Iterator[None]:
    """End the block after so many seconds of processor time."""

    def ring(number: int, frame: object) -> None:
        raise StuckError

    before = signal.signal(signal.SIGVTALRM, ring)
    signal.setitimer(signal.ITIMER_VIRTUAL, _STUCK_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
