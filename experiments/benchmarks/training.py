"""How fast the engine trains beside the usual loop: ratios, measured side by side in one run.

    python training.py throughput [--json FILE]     two loops; one trial, and two at once
    python training.py widths [--json FILE]         odd widths, time per MAC
    python training.py accuracy LOOP [--seed 0]     five epochs of ResNet-20

CIFAR-10 under $PRUNETUNE_DATA. The usual loop is that of torch-pruning's example: torchvision's
transforms image by image, a DataLoader with workers, float32. What is compared alternates in short
chunks, so that other load on the machine meets all alike; the median of the chunks' ratios counts.
Beside images per second stand images per second of processor time (workers' included), which other
load moves least: a set-up that keeps both cores busy reaches twice that on an idle machine.
"""

from __future__ import annotations

import argparse
import copy
import itertools
import json
import multiprocessing
import os
import statistics
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import psutil
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from prunetune.compress.budget.costs import count_macs
from prunetune.config.parts import Named
from prunetune.config.recipe import Recipe
from prunetune.data.resident import ResidentSplit
from prunetune.registry import datasets, models
from prunetune.train import batchnorm
from prunetune.train.device import precision_name, prepare
from prunetune.train.evaluate import EVAL_BATCH, evaluate
from prunetune.train.loop import train

CPU = torch.device("cpu")
BATCH = 128
RECIPE = Recipe(optimizer=Named(name="sgd", params={"lr": 0.1}), norm_weight_decay=True)
ALL_IMAGES = {"val_fraction": 1e-3}
"""50 images held out: the loop must have something to validate on."""


@dataclass(frozen=True)
class Job:
    """One loop on one network; a chunk of it is `steps` batches of 128."""

    loop: str
    """`ours`; `ours, plain batch norm`; `usual`; `convolutions alone`"""
    model: str
    width: int = 16
    steps: int = 20


def network(job: Job) -> nn.Module:
    entry = models.get(job.model)
    params = entry.params(widths=(job.width, 2 * job.width, 4 * job.width))
    model: nn.Module = entry.part.build(params, 10, (3, 32, 32))
    entry.part.initialise(model)
    return model


def ours(job: Job) -> Iterator[None]:
    """The engine as trials call it; each epoch is a chunk, validated on one image."""
    limit = {"train_limit": job.steps * BATCH, **ALL_IMAGES}
    entry = datasets.get("cifar10")
    splits = entry.part(entry.params(**limit)).open(0, CPU, download=False)
    one = splits.val.images.take(torch.arange(1), CPU)
    splits = replace(splits, val=ResidentSplit(one, splits.info))
    seeds = {"order": 0, "augmentation": 0}
    for _ in train(network(job), splits, RECIPE, 10_000, seeds=seeds, device=CPU):
        yield


def usual(job: Job) -> Iterator[None]:
    """What people write; `workers` processes load and augment."""
    batches = itertools.chain.from_iterable(itertools.repeat(usual_loader()))
    model = network(job).train()
    optimizer = torch.optim.SGD(model.parameters(), 0.1, 0.9, weight_decay=5e-4, nesterov=True)
    while True:
        for x, y in itertools.islice(batches, job.steps):
            usual_step(model, optimizer, x, y)
        yield


def usual_loader(images: int = 50_000) -> Any:
    from torchvision import datasets as tv
    from torchvision import transforms as T

    transform = T.Compose(
        [
            T.RandomCrop(32, padding=4),
            T.RandomHorizontalFlip(),
            T.ToTensor(),
            T.Normalize((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)),
        ]
    )
    data = tv.CIFAR10(os.environ["PRUNETUNE_DATA"], train=True, transform=transform)
    workers = torch.get_num_threads()
    return torch.utils.data.DataLoader(
        torch.utils.data.Subset(data, range(images)),
        BATCH,
        shuffle=True,
        num_workers=workers,
        drop_last=True,
    )


def usual_step(model: nn.Module, optimizer: torch.optim.Optimizer, x: Tensor, y: Tensor) -> None:
    optimizer.zero_grad()
    loss = F.cross_entropy(model(x), y)
    torch.autograd.backward(loss)
    optimizer.step()


def convolutions(job: Job) -> Iterator[None]:
    """Each convolution forward and backward by itself, in bfloat16: what no loop can pass."""
    model, calls = prepare(network(job), CPU), []
    hooks = [
        m.register_forward_hook(lambda m, x, y: calls.append((m, x[0].shape, y.shape)))
        for m in model.modules()
        if isinstance(m, nn.Conv2d)
    ]
    model(torch.zeros(BATCH, 3, 32, 32))
    for hook in hooks:
        hook.remove()
    last = torch.channels_last
    work = []
    for n, (conv, shape, out) in enumerate(calls):
        weight = conv.weight.detach().bfloat16().contiguous(memory_format=last)
        x = torch.randn(shape, dtype=torch.bfloat16).contiguous(memory_format=last)
        gradient = torch.randn(out, dtype=torch.bfloat16).contiguous(memory_format=last)
        wanted = [n > 0, True, False]  # the images need no gradient
        work.append((conv, x, weight, gradient, wanted))
    while True:
        for _ in range(job.steps):
            for conv, x, weight, gradient, wanted in work:
                F.conv2d(x, weight, None, conv.stride, conv.padding)
                torch.ops.aten.convolution_backward(
                    gradient, x, weight, None, conv.stride, conv.padding,
                    conv.dilation, False, [0, 0], 1, wanted,
                )  # fmt: skip
        yield


LOOPS = {
    "ours": ours,
    "ours, plain batch norm": ours,
    "usual": usual,
    "convolutions alone": convolutions,
}


def serve(pipe: Connection, threads: int) -> None:
    """A process that runs a chunk of whatever job it is sent, and answers with what it took."""
    torch.set_num_threads(threads)
    fold_from = batchnorm._FOLD_FROM
    running: dict[Job, Iterator[None]] = {}
    while (job := pipe.recv()) is not None:
        batchnorm._FOLD_FROM = 2**62 if job.loop == "ours, plain batch norm" else fold_from
        if job not in running:
            running[job] = LOOPS[job.loop](job)
        started, cpu = time.perf_counter(), cpu_seconds()
        next(running[job])
        pipe.send((time.perf_counter() - started, cpu_seconds() - cpu))


def cpu_seconds() -> float:
    """Processor time of this process and of those that load its images."""
    this = psutil.Process()
    times = [p.cpu_times() for p in (this, *this.children())]
    return float(sum(t.user + t.system for t in times))


class Trials:
    """One process or two at once, of so many threads each."""

    def __init__(self, processes: int, threads: int) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipes = []
        for _ in range(processes):
            here, there = context.Pipe()
            context.Process(target=serve, args=(there, threads)).start()
            self.pipes.append(here)

    def chunk(self, job: Job) -> tuple[float, float]:
        """Images per second of all processes together, and per second of processor time."""
        for pipe in self.pipes:
            pipe.send(job)
        images, took = job.steps * BATCH, [pipe.recv() for pipe in self.pipes]
        wall = sum(images / seconds for seconds, _ in took)
        return wall, len(took) * images / sum(cpu for _, cpu in took)

    def close(self) -> None:
        for pipe in self.pipes:
            pipe.send(None)


def alternate(
    setups: dict[str, tuple[Trials, Job]], repeats: int
) -> dict[str, list[tuple[float, float]]]:
    """What `Trials.chunk` says of every set-up, chunk by chunk in turn."""
    speeds: dict[str, list[tuple[float, float]]] = {name: [] for name in setups}
    for trials, job in setups.values():
        trials.chunk(job)  # warms up
    for _ in range(repeats):
        for name, (trials, job) in setups.items():
            speeds[name].append(trials.chunk(job))
    return speeds


def throughput(repeats: int) -> dict[str, Any]:
    """Both loops with one trial (two threads) and with two at once (a thread each)."""
    one, two = Trials(1, 2), Trials(2, 1)
    usual_one, usual_two = Trials(1, 2), Trials(2, 1)
    found = {}
    for model, steps in (("resnet20", 10), ("resnet56", 4)):
        job = Job("ours", model, steps=steps)
        setups = {
            "ours, two at once": (two, job),
            "usual, two at once": (usual_two, replace(job, loop="usual")),
            "ours, one": (one, job),
            "usual, one": (usual_one, replace(job, loop="usual")),
            "convolutions alone": (one, replace(job, loop="convolutions alone")),
        }
        speeds = alternate(setups, repeats)
        pairs = (
            ("ours, two at once", "usual, two at once"),
            ("ours, two at once", "usual, one"),
            ("ours, one", "usual, one"),
            ("ours, two at once", "convolutions alone"),
            ("ours, one", "convolutions alone"),
        )
        found[model] = described(speeds, pairs)
        print(json.dumps(found[model], indent=1), flush=True)
    for trials in (one, two, usual_one, usual_two):
        trials.close()
    return found


def widths(repeats: int) -> dict[str, Any]:
    """Seconds per MAC of odd widths over those of width 16, with and without the fold."""
    found, odd, plain = {}, (11, 13), "ours, plain batch norm"
    macs = {w: count_macs(network(Job("ours", "resnet20", w)), (3, 32, 32)) for w in (16, *odd)}
    for threads in (1, 2):
        trials = Trials(1, threads)
        jobs = [Job(loop, "resnet20", w, steps=8) for w in macs for loop in ("ours", plain)]
        speeds = alternate({f"{job.width} {job.loop}": (trials, job) for job in jobs}, repeats)
        trials.close()
        pairs = [(f"{w} ours", f"{w} {plain}") for w in macs]
        per_mac = {n: [tuple(v * macs[int(n[:2])] for v in s) for s in speeds[n]] for n in speeds}
        costs = [("16 ours", f"{w} {loop}") for w in odd for loop in ("ours", plain)]
        found[f"{threads} threads"] = described(speeds, pairs) | {
            "time per MAC": described(per_mac, costs)["ratios"]
        }
        print(json.dumps(found[f"{threads} threads"], indent=1), flush=True)
    return found


def accuracy(loop: str, seed: int, images: int, epochs: int = 5) -> dict[str, Any]:
    """Test accuracy of ResNet-20 after each of five epochs, one thread, the same recipe."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    model = network(Job(loop, "resnet20"))
    entry = datasets.get("cifar10")
    params = entry.params(train_limit=images, **ALL_IMAGES)
    splits = entry.part(params).open(0, CPU, download=False)
    seeds, curve = {"order": seed, "augmentation": seed}, []
    steps = train(model, splits, RECIPE, epochs, seeds=seeds, device=CPU)
    for _ in steps if loop == "ours" else usual_epochs(model, epochs, images):
        curve.append(evaluate(copy.deepcopy(model), splits.test().batches(EVAL_BATCH), CPU).acc1)
        print(loop, seed, curve, flush=True)
    return {"loop": loop, "seed": seed, "images": images, "test_acc1": curve}


def usual_epochs(model: nn.Module, epochs: int, images: int) -> Iterator[None]:
    loader = usual_loader(images)
    optimizer = torch.optim.SGD(model.parameters(), 0.1, 0.9, weight_decay=5e-4, nesterov=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * len(loader))
    for _ in range(epochs):
        model.train()
        for x, y in loader:
            usual_step(model, optimizer, x, y)
            schedule.step()
        yield


def described(
    speeds: dict[str, list[Any]], pairs: Iterable[tuple[str, str]]
) -> dict[str, dict[str, Any]]:
    """Medians and ranges of speeds, and of the ratios of neighbouring chunks."""
    found: dict[str, dict[str, Any]] = {"speeds": {}, "ratios": {}}
    for index, unit in enumerate(("images_per_s", "images_per_cpu_s")):
        values = {name: [pair[index] for pair in s] for name, s in speeds.items()}
        found["speeds"][unit] = {name: spread(v, 0) for name, v in values.items()}
        found["ratios"][unit] = {
            f"{of} / {to}": spread([a / b for a, b in zip(values[of], values[to], strict=True)], 3)
            for of, to in pairs
        }
    return found


def spread(values: list[float], digits: int) -> dict[str, float]:
    facts = {"median": statistics.median(values), "lowest": min(values), "highest": max(values)}
    return {name: round(value, digits) for name, value in facts.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["throughput", "widths", "accuracy"])
    parser.add_argument("loop", nargs="?", choices=["ours", "usual"], default="ours")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--images", type=int, default=49_920, help="trained on, for accuracy")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    load = os.getloadavg()[0]
    if args.what == "accuracy":
        found = accuracy(args.loop, args.seed, args.images)
    else:
        found = {"throughput": throughput, "widths": widths}[args.what](args.repeats)
    machine = {
        "cpus": os.cpu_count(),
        "dtype": precision_name(CPU),
        "torch": torch.__version__,
        "gpu": "none here" if not torch.cuda.is_available() else torch.cuda.get_device_name(),
        "load before": load,
        "load after": os.getloadavg()[0],
    }
    text = json.dumps({"what": args.what, "machine": machine, "found": found}, indent=1)
    print(text)
    if args.json:
        args.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
