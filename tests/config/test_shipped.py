from __future__ import annotations

from pathlib import Path

import pytest

from prunetune.config.file.parse import load_sweep
from prunetune.config.file.shipped import shipped_sweeps, sweep_file
from prunetune.config.problems.errors import SpecError

SWEEPS = Path(__file__).parents[2] / "sweeps"


def test_every_file_under_sweeps_is_found_by_its_name():
    assert shipped_sweeps() == {path.stem: path for path in sorted(SWEEPS.glob("*.yaml"))}
    assert all(sweep_file(name) == path for name, path in shipped_sweeps().items())


def test_a_shipped_sweep_is_the_same_by_name_and_by_path():
    assert load_sweep("quickstart") == load_sweep(SWEEPS / "quickstart.yaml")


def test_a_file_of_ones_own_comes_before_a_shipped_sweep(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    own = Path("quickstart")
    own.write_text((SWEEPS / "quickstart.yaml").read_text().replace("quickstart", "mine"))
    assert sweep_file("quickstart") == own
    assert load_sweep("quickstart").name == "mine"


def test_a_name_that_is_neither_is_told_with_the_near_match():
    with pytest.raises(SpecError, match="did you mean 'quickstart'") as refused:
        load_sweep("quikstart")
    assert all(name in str(refused.value) for name in shipped_sweeps())
