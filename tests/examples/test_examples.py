"""The programs under experiments/examples run and print what their first lines promise."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "experiments" / "examples"


def printed(example: str, *words: object) -> str:
    command = [sys.executable, str(EXAMPLES / example), *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_records_become_a_plot_of_ones_own(tmp_path):
    plot = tmp_path / "plot.svg"
    said = printed("own_plot.py", "2026-11-20-quickstart", EXAMPLES.parent, plot)
    assert all(arm in said for arm in ("pruned", "reinit", "thin"))
    assert plot.read_text().count("<path") > 9  # axes, ticks and three curves
