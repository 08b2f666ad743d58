"""The quick start on a machine that is busy: words at once, and an end.

    python experiments/benchmarks/busy_machine.py [--burners N] [--sweep FILE] [--out NAME]

So many processes compute for nothing while the command runs. The table has the time of the first
words, of the first record and of the end, the exit code, and all messages.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import ray

ROOT = Path(__file__).parents[2]
NOTE = """`prunetune sweep {sweep}` beside {burners} processes that compute for nothing; Ray {ray},
{cores} cores, load average {before:.0f} before and {after:.0f} after. Written by
`experiments/benchmarks/busy_machine.py`."""


@contextmanager
def burning(count: int) -> Iterator[None]:
    """Processes that use the processor as long as the block lasts."""
    command = [sys.executable, "-c", "while True: pass"]
    burners = [subprocess.Popen(command) for _ in range(count)]
    try:
        yield
    finally:
        for burner in burners:
            burner.kill()


class Command:
    """The command, with the time of every line that it prints."""

    def __init__(self, sweep: str, storage: str) -> None:
        self.start = time.monotonic()
        self.lines: dict[str, list[tuple[float, str]]] = {"stdout": [], "stderr": []}
        command = [sys.executable, "-m", "prunetune.cli", "sweep", sweep, "--storage", storage]
        self.process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.readers = [threading.Thread(target=self._read, args=(name,)) for name in self.lines]
        for reader in self.readers:
            reader.start()

    def _read(self, name: str) -> None:
        for line in getattr(self.process, name):
            self.lines[name].append((time.monotonic() - self.start, line.rstrip()))

    def wait(self) -> float:
        """Until the end; the seconds it took."""
        self.process.wait()
        for reader in self.readers:
            reader.join()
        return time.monotonic() - self.start


def table(command: Command, end: float) -> str:
    everything = sorted(command.lines["stdout"] + command.lines["stderr"])
    records = [at for at, line in command.lines["stdout"] if " completed " in line]
    rows = [
        ("first words", f"{everything[0][0]:.1f} s"),
        ("first record", f"{records[0]:.0f} s" if records else "none"),
        ("records", str(len(records))),
        ("end", f"{end:.0f} s"),
        ("exit code", str(command.process.returncode)),
    ]
    said = [f"    {at:6.1f} s  {line}" for at, line in command.lines["stderr"]]
    lines = ["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)]
    return "\n".join([*lines, "", "Messages:", "", *said])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--burners", type=int, default=8)
    parser.add_argument("--sweep", default="quickstart")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as storage, burning(args.burners):
        command = Command(args.sweep, storage)
        text = table(command, command.wait())
    note = NOTE.format(
        sweep=args.sweep, burners=args.burners, ray=ray.__version__, cores=os.cpu_count(),
        before=before, after=os.getloadavg()[0],
    )  # fmt: skip
    print(f"{note}\n\n{text}")
    if args.out:
        args.out.with_suffix(".md").write_text(f"{note}\n\n{text}\n")


if __name__ == "__main__":
    main()
