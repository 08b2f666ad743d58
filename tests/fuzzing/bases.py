"""Sweep files to mutate: a shipped one, one that uses every notation, and the printed skeleton."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from prunetune.config.file.schema import skeleton
from prunetune.config.file.yaml import load

EVERY_NOTATION = """\
name: every-notation
question: Does a pruned ResNet-14 beat a thin one?
workload:
  model: {resnet14: {shortcut: B, widths: [8, 16, 32]}}
  dataset: {digits: {val_fraction: 0.2}}
  dense: {train: {epochs: 4, recipe: {batch_size: 64, schedule: {cosine: {warmup_epochs: 1}}}}}
budgets: [0.5, 2.5x]
tolerance: 0.02
arms:
  thin: {method: width_scaling, match: scratch_b}
  pruned:
    method:
      channel_pruning:
        criterion: {choice: {magnitude: {p: {choice: [1, 2]}}, bn_scale: {}, lamp: {}}}
        scope: {choice: [local, global]}
        steps: {by_budget: {0.5: {int: [1, 2]}, 2.5x: {int: [1, 3]}}}
    first:
      - method.criterion: lamp
        method.scope: global
        method.steps: 1
        recipe.optimizer: sgd
        recipe.optimizer.sgd.lr: 0.02
        recipe.weight_decay: 1e-3
        recipe.label_smoothing: 0.1
        recipe.batch_size: 64
    recipe: {batch_size: {choice: [32, 64]}}
  reinit: {method: {reinit: {from: pruned}}, recipe: {ema: 0.9}}
  copy: {method: width_scaling, match: marginal, recipe: {from: thin, match: scratch_b}}
recipe: &shared
  optimizer:
    choice:
      sgd: {lr: {float: [0.01, 0.5], log: true}}
      adamw: {lr: {float: [3e-4, 1e-2], log: true}}
  weight_decay: {float: [1e-5, 1e-2], log: true}
  label_smoothing: {float: [0.0, 0.2], step: 0.05}
training: {finetune_epochs: 2, sparsify_epochs: 0, match: [scratch_b, marginal]}
search: {trials: 9, sampler: {tpe: {}}, early_stopping: {asha: {reduction: 3}}, replicates: 2}
confirm: {seeds: 4, dense: fresh, top: 2, margin: 0.01, control: thin}
resources: {cpus: 1, gpus: 0, max_concurrent: 2, deterministic: false}
limits: {hours: 2.5}
tracking: {uri: none, experiment: null}
seed: 3
"""


@cache
def bases() -> tuple[str, ...]:
    """The texts; every one plans."""
    shipped = Path("sweeps/quickstart.yaml").read_text(encoding="utf-8")
    return (shipped, EVERY_NOTATION, skeleton())


@cache
def base_trees() -> tuple[dict[str, Any], ...]:
    """The same as plain data."""
    return tuple(load(text)[0] for text in bases())
