"""How long does the proof of all cuts take, next to tracing the groups that it proves?

    python proof.py [--models resnet56 resnet50] [--repeats 5] [--json FILE]

Tracing and proof alternate in one process, after one run of both that is not counted. Seconds are
medians of wall time; processor seconds say what the proof takes on a machine with nothing else to
do. The networks have no data, as when a sweep is planned. ResNet-50 is at 224, ResNet-56 at 32.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import nn

from prunetune.compress.graph.groups import Group
from prunetune.compress.graph.traced import traced_groups
from prunetune.compress.proof.prover import Prover
from prunetune.registry import models

CLASSES = 10
SIZES = {"resnet56": 32, "resnet110": 32, "vit_tiny": 32, "mobilenet_v2": 32}


def timed(call: Callable[[], Any]) -> tuple[float, float]:
    """Wall and processor seconds of a call."""
    wall, processor = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - wall, time.process_time() - processor


def measure(name: str, repeats: int) -> dict[str, float]:
    """Medians for one network."""
    size = SIZES.get(name, 224)
    shape, entry = (3, size, size), models.get(name)
    with torch.device("meta"):
        model: nn.Module = entry.part.build(entry.params(), CLASSES, shape)
    ignored = entry.part.ignored_layers(model)
    groups: Sequence[Group] = ()

    def trace() -> None:
        nonlocal groups
        groups = traced_groups(model, shape, ignored).groups

    def prove() -> None:
        right, _ = Prover(model, shape).proved(groups)
        assert len(right) == len(groups)

    times = [(*timed(trace), *timed(prove)) for _ in range(1 + repeats)][1:]
    names = ("trace_s", "trace_processor_s", "proof_s", "proof_processor_s")
    return {
        n: round(median(column), 3)
        for n, column in zip(names, zip(*times, strict=True), strict=True)
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", default=["resnet56", "resnet50"])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    machine = {"cpus": os.cpu_count(), "threads": args.threads, "torch": torch.__version__}
    machine["load_before"] = round(os.getloadavg()[0], 2)
    found = {name: measure(name, args.repeats) for name in args.models}
    machine["load_after"] = round(os.getloadavg()[0], 2)
    for name, row in found.items():
        print(name, row)
    if args.json:
        args.json.write_text(json.dumps({"machine": machine, "found": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
