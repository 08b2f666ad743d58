"""A sweep file with a plug-in module beside it."""

from __future__ import annotations

from pathlib import Path

SWEEP = """
name: beside
workload: {model: resnet14, dataset: digits, dense: {train: {epochs: 1}}}
budgets: [0.5]
arms:
  thin: {method: width_scaling}
recipe: {schedule: straight_line}
training: {finetune_epochs: 1}
search: {trials: 1, early_stopping: null}
confirm: {seeds: 2}
tracking: {uri: none}
plugins: [straight_line_part]
"""
PART = '''
"""A part that lies beside a sweep file."""

from prunetune.plugin import Params, schedules


@schedules.register("straight_line", params=Params)
def straight_line(params, step, total_steps, steps_per_epoch):
    """A straight line to zero."""
    return 1 - step / total_steps
'''


def write_sweep_with_plugin(folder: Path) -> Path:
    """The path of the sweep file, in a new folder."""
    folder.mkdir()
    (folder / "straight_line_part.py").write_text(PART)
    path = folder / "sweep.yaml"
    path.write_text(SWEEP)
    return path
