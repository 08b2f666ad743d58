"""How exactly, and how fast, a MAC budget is met: our selection beside torch-pruning's own loop.

    python experiments/benchmarks/budgets.py [--out experiments/benchmarks/results/NAME]

Both rank by group L1 magnitude, normalised by each group's mean, over all groups at once; weights
are random, one thread. Ours is timed per budget, from the dense network to the cut one, dependency
graph and cost table included. The loop is the usual one: `step()` with `iterative_steps` steps and
torch-pruning's counter after each, until the count is at or below the budget. One pass serves all
budgets, since it goes through the same networks whatever the budget; the seconds are those up to
the step that stops it. MACs are those of convolution and linear layers throughout.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import time
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch_pruning as tp

from prunetune.compress.budget.costs import count_macs
from prunetune.compress.method import CompactModel, Context, Infeasible, Target
from prunetune.compress.methods.channel_pruning.method import ChannelPruning
from prunetune.compress.methods.channel_pruning.params import ChannelPruningParams
from prunetune.compress.network.rebuild import architecture_of, fresh
from prunetune.records.architecture import Architecture
from prunetune.registry import models

BUDGETS = (0.7, 0.5, 0.39, 0.25, 0.125, 0.06, 0.05)
NETWORKS = {"resnet56": (3, 32, 32), "resnet50": (3, 224, 224)}
NOTE = """Group L1 magnitude, random weights, one thread. Ours is timed per budget, from the dense
network to the cut one; torch-pruning's loop (global, until the count is at or below the budget) up
to the step that stops it. Seconds are by the wall and, in brackets, of the processor: the machine
was shared. Written by `experiments/benchmarks/budgets.py`."""


@dataclass(frozen=True)
class Row:
    network: str
    way: str
    budget: float
    error: float | None
    """Achieved over budget, minus 1; None where it was not met."""
    wall_s: float
    cpu_s: float


class Clock:
    """Seconds since it was made, by the wall and by this process."""

    def __init__(self) -> None:
        self.wall, self.cpu = time.perf_counter(), time.process_time()

    def read(self) -> tuple[float, float]:
        return time.perf_counter() - self.wall, time.process_time() - self.cpu


def ours(context: Context, scope: str, repeats: int) -> Iterator[Row]:
    params = ChannelPruningParams.model_validate({"scope": scope, "recalibrate": 0})
    method = ChannelPruning(params)
    dense = context.target.dense_macs
    for budget in BUDGETS:
        context.target = Target(int(dense * budget), dense, 0.005)
        times, error = [], None
        for _ in range(repeats):
            clock = Clock()
            with contextlib.suppress(Infeasible):
                compact = method.run(context)
                assert isinstance(compact, CompactModel)
                error = compact.macs / context.target.macs - 1
            times.append(clock.read())
        wall, cpu = (sorted(column)[len(column) // 2] for column in zip(*times, strict=True))
        yield Row(context.architecture.model, f"prunetune {scope}", budget, error, wall, cpu)


def loop(context: Context, steps: int) -> Iterator[Row]:
    """torch-pruning's loop until the target."""
    architecture, dense = context.architecture, context.target.dense_macs
    model = fresh(architecture, 0)
    example = torch.zeros(1, *architecture.input_shape)
    clock, left = Clock(), list(BUDGETS)
    counter_dense, _ = tp.utils.count_ops_and_params(model, example)
    pruner = tp.pruner.MetaPruner(
        model,
        example,
        importance=tp.importance.GroupMagnitudeImportance(p=1),
        global_pruning=True,
        pruning_ratio=1.0,
        iterative_steps=steps,
        ignored_layers=models.get(architecture.model).part.ignored_layers(model),
    )
    way = f"torch-pruning, {steps} steps"
    for _ in range(steps):
        pruner.step()
        share = tp.utils.count_ops_and_params(model, example)[0] / counter_dense
        wall, cpu = clock.read()
        while left and share <= left[0]:
            macs = count_macs(model, architecture.input_shape)
            budget = left.pop(0)
            yield Row(architecture.model, way, budget, macs / (dense * budget) - 1, wall, cpu)
        if not left:
            return
    for budget in left:
        yield Row(architecture.model, way, budget, None, *clock.read())


def table(rows: list[Row]) -> str:
    """Markdown: a line per way, a column per budget."""
    lines = []
    for network in dict.fromkeys(row.network for row in rows):
        lines += [f"\n## {network}, {'x'.join(map(str, NETWORKS[network]))}\n"]
        lines += [
            "| error of the MACs, %: budget | " + " | ".join(f"{b:g}" for b in BUDGETS) + " |"
        ]
        lines += ["|---" * (len(BUDGETS) + 1) + "|"]
        mine = [row for row in rows if row.network == network]
        for way in dict.fromkeys(row.way for row in mine):
            cells = {row.budget: row for row in mine if row.way == way}
            errors = [cells[b].error for b in BUDGETS]
            lines += [f"| {way} | " + " | ".join(map(_percent, errors)) + " |"]
            seconds = [f"{cells[b].wall_s:.2f} ({cells[b].cpu_s:.2f})" for b in BUDGETS]
            lines += [f"| seconds (of the processor) | {' | '.join(seconds)} |"]
    return "\n".join(lines)


def _percent(error: float | None) -> str:
    return "not met" if error is None else f"{100 * error:+.3f}"


def context_of(network: str) -> Context:
    bare = Architecture(model=network, classes=10, input_shape=NETWORKS[network])
    dense = fresh(bare, 0)
    architecture = architecture_of(dense, network, {}, 10, NETWORKS[network])
    macs = count_macs(dense, NETWORKS[network])
    return Context(
        architecture=architecture,
        target=Target(macs, macs, 0.005),
        generator=torch.Generator().manual_seed(0),
        build=lambda found: fresh(found, 0),
        dense=dense,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS), choices=list(NETWORKS))
    parser.add_argument("--steps", type=int, nargs="+", default=[200])
    parser.add_argument("--repeats", type=int, default=3, help="of ours; the median is shown")
    parser.add_argument("--out", type=Path, help="write OUT.md and OUT.json")
    args = parser.parse_args()
    warnings.filterwarnings("ignore")  # torch-pruning's, of steps past the last
    torch.set_num_threads(1)
    rows: list[Row] = []
    for network in args.networks:
        context = context_of(network)
        for scope in ("local", "global", "protected_global"):
            rows += ours(context, scope, args.repeats)
        for steps in args.steps:
            rows += loop(context_of(network), steps)
    print(text := table(rows))
    if args.out:
        versions = {"torch": torch.__version__, "torch_pruning": "1.6.1"}
        facts = {"versions": versions, "threads": 1, "rows": [asdict(row) for row in rows]}
        args.out.with_suffix(".json").write_text(json.dumps(facts, indent=1) + "\n")
        args.out.with_suffix(".md").write_text(f"# Meeting MAC budgets\n\n{NOTE}\n{text}\n")


if __name__ == "__main__":
    main()
