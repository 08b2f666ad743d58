"""How long the command line takes to answer, beside the imports that it cannot do without.

    python experiments/benchmarks/startup.py [--repeats N] [--out experiments/…/NAME]

Every command runs in a process of its own, in turns with the bare imports beside it, so that
whatever else the machine does falls on both alike. One unmeasured turn comes first: it
fills the disk cache and writes byte code, as an installed package has it.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[2]
NOTE = """Median seconds of {repeats} processes each, taken in turns: by the wall and, in brackets,
of the processor. The ratios are of these medians. Python {python}, torch {torch}, one thread,
{cpus} cores; load average {before} before and {after} after. Written by
`experiments/benchmarks/startup.py`."""


@dataclass(frozen=True)
class Case:
    """A command, the bare imports beside it, and how often their time it may take."""

    words: str
    imports: str
    goal: float


CASES = (
    Case("--help", "typer, rich", 2.0),
    Case("plan sweeps/quickstart.yaml", "torch, torch_pruning", 1.2),
)


def seconds(command: Sequence[str], environment: dict[str, str]) -> tuple[float, float]:
    """One run of a command: seconds by the wall, and of the processor."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(
        command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
        check=True,
    )  # fmt: skip
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def row(case: Case, repeats: int, environment: dict[str, str]) -> str:
    """A line of the table."""
    ours = [sys.executable, "-m", "prunetune.cli", *case.words.split()]
    bare = [sys.executable, "-c", f"import {case.imports}"]
    turns = [[seconds(each, environment) for each in (ours, bare)] for _ in range(repeats + 1)][1:]
    wall, cpu = (
        [median(turn[side][clock] for turn in turns) for side in (0, 1)] for clock in (0, 1)
    )
    times = [f"{w:.2f} ({c:.2f})" for w, c in zip(wall, cpu, strict=True)]
    ratios = f"{wall[0] / wall[1]:.2f} ({cpu[0] / cpu[1]:.2f})"
    names = f"`prunetune {case.words}` | `import {case.imports}`"
    return f"| {names} | {times[0]} | {times[1]} | {ratios} | {case.goal} |"


def table(repeats: int) -> str:
    """The result as Markdown."""
    before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as byte_code:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        environment["PYTHONPYCACHEPREFIX"] = byte_code
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        rows = [row(case, repeats, environment) for case in CASES]
    note = NOTE.format(
        repeats=repeats,
        python=platform.python_version(),
        torch=version("torch"),
        cpus=os.cpu_count(),
        before=f"{before:.1f}",
        after=f"{os.getloadavg()[0]:.1f}",
    )
    head = ["| command | beside | s: ours | s: bare | ratio | goal |", "|---|---|---|---|---|---|"]
    return "\n".join(["# Start-up time", "", note, "", *head, *rows, ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--out", type=Path, help="also write NAME.md")
    given = parser.parse_args()
    text = table(given.repeats)
    print(text)
    if given.out:
        given.out.with_suffix(".md").write_text(text)


if __name__ == "__main__":
    main()
