"""A sweep file that uses every field, and parts to expand it with."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from prunetune.config.parts import Kind, Named, Params
from prunetune.config.problems.errors import near_match

SWEEP = """\
name: resnet56-cifar10
question: At equal MACs, does a pruned ResNet-56 beat a thin one?
workload:
  model: {resnet56: {shortcut: B}}
  dataset: {cifar10: {val_fraction: 0.1}}
  dense: {train: {epochs: 50, recipe: {}}}
budgets: [0.5, 0.25, 0.06]
tolerance: 0.005
arms:
  thin:   {method: width_scaling}
  pruned:
    method:
      channel_pruning:
        criterion: {choice: {magnitude: {p: {choice: [1, 2]}}, bn_scale: {}, lamp: {}}}
        scope: {choice: [local, global]}
        steps: {by_budget: {0.5: 1, 0.25: {int: [1, 3]}, 0.06: 4}}
    first: [{recipe.optimizer: sgd, recipe.optimizer.sgd.lr: 0.01}]
    recipe: {batch_size: {choice: [64, 128]}}
  reinit: {method: {reinit: {from: pruned}}, recipe: {ema: 0.9}}
recipe:
  optimizer:
    choice:
      sgd: {lr: {float: [0.01, 0.5], log: true}}
      adamw: {lr: {float: [3e-4, 1e-2], log: true}, betas: {choice: [[0.9, 0.95], [0.9, 0.999]]}}
  weight_decay: {float: [1e-5, 1e-2], log: true}
  label_smoothing: {float: [0.0, 0.2], step: 0.05}
  augment: {cutout: {int: [0, 16], step: 4}}
training: {finetune_epochs: 20, sparsify_epochs: 0, match: scratch_b}
search:   {trials: 16, sampler: tpe, early_stopping: {asha: {reduction: 3}}, replicates: 1}
confirm:  {seeds: 5, dense: fresh, top: 1, margin: 0.002}
resources: {cpus: 1, gpus: auto, max_concurrent: auto, deterministic: false}
limits:   {hours: null}
tracking: {uri: null, experiment: null}
seed: 0
"""


class Sgd(Params):
    lr: float = Field(default=0.1, gt=0)
    momentum: float = Field(default=0.9, ge=0, lt=1)


class Adamw(Params):
    lr: float = Field(default=1e-3, gt=0)
    betas: tuple[float, float] = (0.9, 0.999)


class Cosine(Params):
    warmup_epochs: int = Field(default=0, ge=0)
    floor: float = 0.0


class Multistep(Params):
    milestones: tuple[float, ...] = (0.5, 0.75)
    gamma: float = Field(default=0.1, gt=0, lt=1)

    @model_validator(mode="after")
    def _ascending(self) -> Multistep:
        if list(self.milestones) != sorted(self.milestones):
            raise ValueError("milestones must ascend")
        return self


class Nothing(Params):
    pass


class Magnitude(Params):
    p: Literal[1, 2] = 1


class Blend(Params):
    """A part made of parts."""

    first: Annotated[Named, Kind("criteria")] = Named(name="magnitude", params={"p": 2})
    second: Annotated[Named | None, Kind("criteria")] = None
    share: float = Field(default=0.5, gt=0, lt=1)


class ChannelPruning(Params):
    criterion: Annotated[Named, Kind("criteria")] = Named(name="magnitude")
    scope: Literal["local", "global"] = "local"
    steps: int = Field(default=1, ge=1)


class Reinit(Params):
    source: str = Field(alias="from")


PARTS: dict[str, dict[str, type[Params]]] = {
    "optimizers": {"sgd": Sgd, "adamw": Adamw},
    "schedules": {"cosine": Cosine, "multistep": Multistep},
    "criteria": {"magnitude": Magnitude, "bn_scale": Nothing, "lamp": Nothing, "blend": Blend},
}


class NoPartError(LookupError):
    def __init__(self, kind: str, name: str) -> None:
        self.allowed = tuple(PARTS[kind])
        self.near = near_match(name, self.allowed)


def lookup(kind: str, name: str) -> type[Params]:
    if name not in PARTS[kind]:
        raise NoPartError(kind, name)
    return PARTS[kind][name]


def replaced(old: str, new: str, text: str = SWEEP) -> str:
    """The sweep with `old`, which stands in it once, written as `new`."""
    assert text.count(old) == 1, old
    return text.replace(old, new)


def line_of(words: str, text: str) -> int:
    """The first line of `text` with `words` in it."""
    return next(i for i, line in enumerate(text.splitlines(), 1) if words in line)
