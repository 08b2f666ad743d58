"""A sweep with its plug-in and its network beside its file, run from another folder.

Its storage has any name.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from tests.plugins.beside import write_sweep_with_plugin
from tests.plugins.installing import python
from tests.plugins.own_code import OWN

FROM_ROOT = "import os; from prunetune.cli.app import main; os.chdir('/'); main()"
MODEL = {"module": {"class": "small_cnn.SmallCNN", "args": {"classes": 10, "width": 8}}}


def test_workers_find_the_plugin_and_the_network(tmp_path: Path) -> None:
    sweep_file = write_sweep_with_plugin(tmp_path / "a sweep 100%")
    for file in OWN.glob("*.py"):
        shutil.copy(file, sweep_file.parent)
    storage = tmp_path / "runs 100%41b?#&"
    done = python(
        "-c", FROM_ROOT, "sweep", sweep_file, "--storage", storage,
        "--set", f"workload.model={json.dumps(MODEL)}", path=Path.cwd(),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (storage / "beside" / "report" / "index.html").exists()
