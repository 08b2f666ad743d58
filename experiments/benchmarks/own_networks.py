"""Networks of timm's, as `model: {module: …}`: pruned, thinned and re-initialised at two budgets.

    python experiments/benchmarks/own_networks.py [--out experiments/benchmarks/results/NAME]

timm is none of prunetune's dependencies: without it the script says so and ends. No family and no
plug-in is written for these networks; prunetune gets the import path of the function that makes
one, and its arguments. Every compact network must have the MACs that PyTorch's counter counts,
within tolerance of the budget, and compute the same bits when a fresh process has rebuilt it from
its architecture and its weights. Thin and re-initialised networks must have weights of their own.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from prunetune import rebuild
from prunetune.compress.method import CompactModel, Context, Infeasible, Target
from prunetune.compress.methods.channel_pruning.method import ChannelPruning
from prunetune.compress.methods.channel_pruning.params import ChannelPruningParams
from prunetune.compress.methods.reinit import Reinit, ReinitParams
from prunetune.compress.methods.width_scaling.method import WidthScaling, WidthScalingParams
from prunetune.compress.network.rebuild import architecture_of, family_network, fresh
from prunetune.compress.proof.proved_groups import left_alone, prunable_groups
from prunetune.models.module import ModuleParams
from prunetune.protocols import Shape
from prunetune.records.architecture import Architecture
from prunetune.testing.networks import as_if_trained

NETWORKS = (
    "resnet18", "mobilenetv3_small_100", "efficientnet_b0", "convnext_atto", "regnety_002",
)  # fmt: skip
BUDGETS, TOLERANCE = (0.5, 0.25), 0.005
NOTE = """Networks of timm {version} by import path and arguments (`model: {{module: {{class:
timm.models.NAME, args: {{num_classes: 10}}}}}}`), images of 3 x 64 x 64, weights as if trained.
Pruned: group L1 magnitude over all groups at once. Thin: one factor over all groups. Reinit: the
pruned widths with the class's own initial weights. Each network is within 0.5 % below its budget by
PyTorch's counter; `bits` counts those that a fresh process rebuilt from JSON and safetensors and
that gave the same logits, bit for bit. Seconds are of the processor, one thread; the machine was
shared. Written by `experiments/benchmarks/own_networks.py`."""


@dataclass
class Row:
    network: str
    groups: int = 0
    alone_share: float = 0.0
    """Of the dense MACs, that belong to channels that are left alone."""
    macs: int = 0
    shares: dict[str, float] = field(default_factory=dict)
    """Method and budget -> achieved share of the dense MACs."""
    repairs: dict[str, str] = field(default_factory=dict)
    rebuilt: int = 0
    proof_s: float = 0.0
    made_s: float = 0.0


def dense_architecture(name: str, shape: Shape) -> Architecture:
    """The network as planning describes it, with the digest of its code."""
    written = {"class": f"timm.models.{name}", "args": {"num_classes": 10}}
    pinned = ModuleParams.model_validate(written).pinned()
    params = pinned.model_dump(mode="json", exclude_defaults=True)
    bare = Architecture(model="module", params=params, classes=10, input_shape=shape)
    with torch.device("meta"):
        return architecture_of(family_network(bare), "module", params, 10, shape)


def tried(name: str, folder: Path, shape: Shape = (3, 64, 64)) -> Row:
    architecture = dense_architecture(name, shape)
    start = time.process_time()
    alone = left_alone(architecture)
    row = Row(name, alone_share=sum(entry.share for entry in alone))
    row.proof_s = time.process_time() - start
    dense = as_if_trained(fresh(architecture, seed=0))
    row.groups, row.macs = len(prunable_groups(dense, architecture)), torchs_macs(dense, shape)
    start = time.process_time()
    for budget in BUDGETS:
        target = Target(int(row.macs * budget), row.macs, TOLERANCE)
        for method, compact in made(architecture, dense, target):
            what = f"{method}@{budget:g}"
            assert target.lowest <= compact.macs <= target.macs, what
            assert torchs_macs(compact.model, shape) == compact.macs, what
            row.shares[what] = compact.macs / row.macs
            if "repair" in compact.departures:
                row.repairs[what] = compact.departures["repair"]
            save(compact, folder / f"{name}-{what}")
    row.made_s = time.process_time() - start
    return row


def made(
    architecture: Architecture, dense: nn.Module, target: Target
) -> Iterator[tuple[str, CompactModel]]:
    """The network of each method at a budget."""

    def context(**more: object) -> Context:
        def build(narrow: Architecture) -> nn.Module:
            return fresh(narrow, seed=1)

        return Context(architecture, target, torch.Generator(), build, **more)  # type: ignore[arg-type]

    pruned = ChannelPruning(ChannelPruningParams(recalibrate=0)).run(context(dense=dense))
    assert isinstance(pruned, CompactModel)
    again = Reinit(ReinitParams(arm="pruned")).run(context(source=pruned.architecture))
    assert again.architecture == pruned.architecture
    first = next(name for name, p in pruned.model.named_parameters() if p.ndim > 1)
    weights = (network.model.get_parameter(first) for network in (pruned, again))
    assert not torch.equal(*weights), f"{first} is the pruned one's"
    yield "pruned", pruned
    yield "reinit", again
    yield "thin", WidthScaling(WidthScalingParams()).run(context())


def torchs_macs(model: nn.Module, shape: Shape) -> int:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model.eval()(torch.zeros(1, *shape))
    return int(counter.get_total_flops()) // 2


def images(shape: Shape) -> Tensor:
    return torch.randn(2, *shape, generator=torch.Generator().manual_seed(9))


@torch.no_grad()
def save(compact: CompactModel, folder: Path) -> None:
    """Architecture, weights and logits; nothing else reaches the process that rebuilds."""
    folder.mkdir()
    model, shape = compact.model.eval(), compact.architecture.input_shape
    (folder / "architecture.json").write_text(compact.architecture.model_dump_json())
    state = {name: value.contiguous() for name, value in model.state_dict().items()}
    safetensors.torch.save_file(state, folder / "weights.safetensors")
    safetensors.torch.save_file({"logits": model(images(shape))}, folder / "logits.safetensors")


@torch.no_grad()
def check_rebuilt(folder: Path) -> None:
    """In a fresh process: print the name of every network that computes the same bits."""
    for saved in sorted(folder.iterdir()):
        text = (saved / "architecture.json").read_text()
        architecture = Architecture.model_validate_json(text)
        model = rebuild(architecture).eval()
        model.load_state_dict(safetensors.torch.load_file(saved / "weights.safetensors"))
        logits = safetensors.torch.load_file(saved / "logits.safetensors")["logits"]
        if torch.equal(model(images(architecture.input_shape)), logits):
            print(saved.name)


def table(rows: Sequence[Row]) -> str:
    columns = [f"{m}@{b:g}" for b in BUDGETS for m in ("pruned", "thin", "reinit")]
    lines = [
        f"| network | groups | left alone | MMACs | {' | '.join(columns)} | bits | proof | made |",
        f"|---|{'--:|' * (len(columns) + 6)}",
    ]
    for row in rows:
        shares = " | ".join(
            f"{row.shares[c]:.2%}{'*' if c in row.repairs else ''}" for c in columns
        )
        seconds = f"{row.proof_s:.1f} s | {row.made_s:.1f} s"
        lines.append(
            f"| {row.network} | {row.groups} | {row.alone_share:.0%} | {row.macs / 1e6:.1f} "
            f"| {shares} | {row.rebuilt}/{len(columns)} | {seconds} |"
        )
    return "\n".join([*lines, "", "\\* after a repair of single channels (`budget/select.py`)."])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, help="write NAME.md and NAME.json")
    parser.add_argument("--rebuilt", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("networks", nargs="*", help="names of timm.models; default: all five")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    torch.set_num_threads(1)
    try:
        import timm
    except ImportError:
        print("timm is not installed: nothing to do (pip install timm)")
        return
    if arguments.rebuilt:
        check_rebuilt(arguments.rebuilt)
        return
    rows = []
    with tempfile.TemporaryDirectory() as name:
        for network in arguments.networks or NETWORKS:
            try:
                rows.append(tried(network, Path(name)))
            except (ValueError, Infeasible) as refusal:
                print(f"{network}: refused: {refusal}", flush=True)
        command = [sys.executable, __file__, "--rebuilt", name]
        same = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    for row in rows:
        row.rebuilt = sum(f"{row.network}-{what}" in same for what in row.shares)
        assert row.rebuilt == len(row.shares), row
    text = f"# Networks of one's own\n\n{NOTE.format(version=timm.__version__)}\n\n{table(rows)}\n"
    print(text)
    if arguments.out:
        arguments.out.with_suffix(".md").write_text(text)
        found = json.dumps([asdict(row) for row in rows], indent=1)
        arguments.out.with_suffix(".json").write_text(f"{found}\n")


if __name__ == "__main__":
    main()
