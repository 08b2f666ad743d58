"""How long does each criterion take to score a network, next to torch-pruning's own?

    python scoring.py [--models resnet56 resnet50] [--images 64] [--json FILE]

Both score all groups of the same network from the same images in the same chunks, by turns in one
run; graphs are built beforehand. Theirs is used as its documentation says: Taylor after one
backward pass, the Hessian after one per image. It has no Fisher, CP, ThiNet or HRank, and its OBD-C
fails on convolutional networks. ResNet-50 is at --size, ResNet-56 at 32.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import torch
import torch.nn.functional as F
import torch_pruning as tp
from torch import Tensor, nn
from torch_pruning.pruner import importance

from prunetune.compress.criterion import Scene
from prunetune.compress.proof.proved_groups import find_groups
from prunetune.models.family import classifier
from prunetune.registry import criteria, models

CLASSES = 10
SIZES = {"resnet56": 32}
Theirs = Callable[["Job"], list[Tensor]]


@dataclass(frozen=True)
class Job:
    """One network, its images, and torch-pruning's view of it."""

    model: nn.Module
    x: Tensor
    y: Tensor
    batch: int
    groups: Sequence[Any]
    """torch-pruning's."""
    scene: Scene

    def batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        return zip(torch.split(self.x, self.batch), torch.split(self.y, self.batch), strict=True)


def job(name: str, size: int, images: int, batch: int) -> Job:
    torch.manual_seed(0)
    entry = models.get(name)
    shape = (3, size, size)
    model = entry.part.build(entry.params(), CLASSES, shape)
    entry.part.initialise(model)
    x, y = torch.randn(images, *shape), torch.randint(CLASSES, (images,))
    graph = tp.DependencyGraph().build_dependency(model.eval(), (x[:1],))
    ignored = entry.part.ignored_layers(model)
    scene = Scene(
        model,
        shape,
        find_groups(model, shape, ignored),
        torch.Generator(),
        lambda n: zip(torch.split(x[:n], batch), torch.split(y[:n], batch), strict=True),
    )
    theirs = list(graph.get_all_groups([classifier(model)]))
    return Job(model, x, y, batch, theirs, scene)


def ours(name: str, job: Job) -> list[Tensor]:
    entry = criteria.get(name)
    images = {"images": len(job.x)} if "images" in entry.params.model_fields else {}
    found: list[Tensor] = entry.part(entry.params(**images)).score(job.scene)
    return found


def of_weights(scorer: Callable[[], Any], job: Job) -> list[Tensor]:
    score = scorer()
    return [score(group) for group in job.groups]


def taylor(job: Job) -> list[Tensor]:
    job.model.zero_grad()
    for x, y in job.batches():
        torch.autograd.backward(F.cross_entropy(job.model(x), y))
    return of_weights(importance.GroupTaylorImportance, job)


def hessian(job: Job) -> list[Tensor]:
    score = importance.GroupHessianImportance()
    for x, y in job.batches():
        for loss in F.cross_entropy(job.model(x), y, reduction="none"):
            job.model.zero_grad()
            loss.backward(retain_graph=True)
            score.accumulate_grad(job.model)
    return [score(group) for group in job.groups]


def activation(job: Job) -> list[Tensor]:
    score = importance.ActivationImportance()
    with score.compute_importance(job.model), torch.no_grad():
        for x, _ in job.batches():
            job.model(x)
    return [score(group) for group in job.groups]


THEIRS: dict[str, Theirs] = {
    "random": partial(of_weights, importance.RandomImportance),
    "magnitude": partial(of_weights, partial(importance.GroupMagnitudeImportance, p=1)),
    "lamp": partial(of_weights, importance.LAMPImportance),
    "fpgm": partial(of_weights, importance.FPGMImportance),
    "bn_scale": partial(of_weights, importance.BNScaleImportance),
    "taylor": taylor,
    "obd_hessian": hessian,
    "activation": activation,
}


def seconds(score: Callable[[], Any]) -> float:
    started = time.perf_counter()
    score()
    return time.perf_counter() - started


def measure(job: Job, names: Sequence[str], repeats: int) -> dict[str, dict[str, float | None]]:
    """Median seconds of both, and the median ratio of neighbours."""
    found = {}
    for name in names:
        mine, theirs = partial(ours, name, job), THEIRS.get(name)
        pairs = [
            (seconds(mine), None if theirs is None else seconds(partial(theirs, job)))
            for _ in range(repeats)
        ]
        other = [b for _, b in pairs if b is not None]
        ratios = [a / b for a, b in pairs if b is not None]
        found[name] = {
            "ours_s": round(median(a for a, _ in pairs), 4),
            "theirs_s": round(median(other), 4) if other else None,
            "ratio": round(median(ratios), 3) if ratios else None,
        }
        told = ["-" if value is None else f"{value:.3f}" for value in found[name].values()]
        print(f"{name:20}" + "".join(f"{text:>14}" for text in told), flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--models", nargs="+", default=["resnet56", "resnet50"])
    parser.add_argument("--criteria", nargs="+", default=criteria.names(), choices=criteria.names())
    parser.add_argument("--size", type=int, default=64, help="of ResNet-50's images")
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    load, found = os.getloadavg()[0], {}
    for name in args.models:
        size = SIZES.get(name, args.size)
        print(f"\n{name}, {args.images} images of {size} x {size}, {args.batch} at a time")
        print(f"{'':20}" + "".join(f"{text:>14}" for text in ("ours, s", "theirs, s", "ratio")))
        found[name] = measure(job(name, size, args.images, args.batch), args.criteria, args.repeats)
    facts = {
        "images": args.images, "batch": args.batch, "size": args.size, "repeats": args.repeats,
        "cpus": os.cpu_count(), "threads": torch.get_num_threads(), "torch": torch.__version__,
        "load_before": round(load, 2), "load_after": round(os.getloadavg()[0], 2),
    }  # fmt: skip
    if args.json:
        args.json.write_text(json.dumps({"machine": facts, "found": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
