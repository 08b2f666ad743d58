"""A sweep with its plug-in beside its file, run from another folder, in a storage of any name."""

from __future__ import annotations

from pathlib import Path

from tests.plugins.beside import write_sweep_with_plugin
from tests.plugins.installing import python

FROM_ROOT = "import os; from prunetune.cli.app import main; os.chdir('/'); main()"


def test_workers_find_the_plugin(tmp_path: Path) -> None:
    sweep_file = write_sweep_with_plugin(tmp_path / "a sweep 100%")
    storage = tmp_path / "runs 100%41b?#&"
    done = python("-c", FROM_ROOT, "sweep", sweep_file, "--storage", storage, path=Path.cwd())
    assert done.returncode == 0, done.stderr
    assert (storage / "beside" / "report" / "index.html").exists()
