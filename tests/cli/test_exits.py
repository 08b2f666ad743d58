"""How a command leaves: what was registered runs, all words arrive, and nothing is taken apart."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import atexit, sys
from prunetune.cli.exits import Leaving

class Part:
    def __del__(self):
        print("taken apart")

leaving, kept = Leaving(), Part()
atexit.register(print, "registered later")
print("word " * 100_000)
leaving.code = 3
{end}
"""


def ended(end: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", PROGRAM.format(end=end)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_what_was_registered_runs_and_the_code_stays() -> None:
    done = ended("sys.exit(leaving.code)")
    assert done.returncode == 3
    assert done.stdout == "word " * 100_000 + "\nregistered later\n"
    assert done.stderr == ""


def test_a_defect_prints_its_traceback() -> None:
    done = ended("leaving.code = 1; 1 / 0")
    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stderr
