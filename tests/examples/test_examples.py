"""The programs under experiments/examples run and print what their first lines promise."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "experiments" / "examples"


def printed(example: str, *words: object) -> str:
    command = [sys.executable, str(EXAMPLES / example), *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_records_become_a_plot_of_ones_own(tmp_path):
    plot = tmp_path / "plot.svg"
    said = printed("own_plot.py", "2026-11-20-quickstart", EXAMPLES.parent, plot)
    assert all(arm in said for arm in ("pruned", "reinit", "thin"))
    assert plot.read_text().count("<path") > 9  # axes, ticks and three curves


@pytest.mark.slow
def test_a_criterion_of_ones_own_keeps_the_contract():
    assert printed("own_criterion.py").count("the contract of a criterion holds") == 2


def test_the_criterion_in_the_readme_is_the_example():
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    (part,) = [block for block in blocks if "register(" in block]
    imports, _, definitions = part.partition("\n\n\n")
    example = (EXAMPLES / "own_criterion.py").read_text()
    assert imports in example
    assert definitions.strip() in example
