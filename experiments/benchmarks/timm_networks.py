"""Ten networks of timm's that nobody here wrote: each is cut to half of its MACs, or refused.

    python experiments/benchmarks/timm_networks.py [--out experiments/benchmarks/results/NAME]

timm is none of prunetune's dependencies: without it the script says so and ends. The networks come
through a plug-in module (`timm_family.py`). Channel pruning by group L1 magnitude over all groups
at once cuts each to 50 % of its MACs, at most 0.5 % less. The cut network must have the MACs that
PyTorch's counter counts, compute what the dense network computes in which no layer hears the
removed channels (in double precision, with random weights and statistics of batch norms), and be
rebuilt bit for bit from its table of layers.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import time
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from prunetune.compress.budget.costs import count_macs
from prunetune.compress.graph.groups import Group
from prunetune.compress.method import CompactModel, Context, Infeasible, Target
from prunetune.compress.methods.channel_pruning.method import ChannelPruning
from prunetune.compress.methods.channel_pruning.params import ChannelPruningParams
from prunetune.compress.network.rebuild import architecture_of, family_network, fresh, rebuild
from prunetune.compress.proof.proved_groups import left_alone, prunable_groups
from prunetune.plan import LeftAlone
from prunetune.protocols import Shape
from prunetune.records.architecture import Architecture
from prunetune.registry import load_plugins
from prunetune.testing.networks import as_if_trained

NETWORKS: dict[str, Shape] = {
    "resnet50": (3, 64, 64),
    "resnext50_32x4d": (3, 64, 64),
    "ghostnet_100": (3, 64, 64),
    "mobilenetv3_large_100": (3, 64, 64),
    "efficientnet_b0": (3, 64, 64),
    "convnext_atto": (3, 64, 64),
    "regnety_004": (3, 64, 64),
    "densenet121": (3, 64, 64),
    "vgg11_bn": (3, 64, 64),
    "vit_tiny_patch16_224": (3, 64, 64),
}
BUDGET, TOLERANCE = 0.5, 0.005
NOTE = """Channel pruning by group L1 magnitude, over all groups at once, to 50 % of the MACs of
networks of timm {version}; images of 3 x 64 x 64, random weights. Each cut network was found equal
to the dense one in which no layer hears the removed channels (column difference: the largest, as a
share of the largest logit), to the counts of PyTorch's counter, and to the network that its table
of layers rebuilds. Seconds are of the processor, one thread: the proof of all groups, then the cut.
The machine was shared. Written by `experiments/benchmarks/timm_networks.py`."""


@dataclass
class Row:
    network: str
    groups: int = 0
    alone: int = 0
    alone_share: float = 0.0
    reasons: tuple[str, ...] = ()
    macs: int = 0
    share: float | None = None
    """Of the dense MACs; None where the network was not cut."""
    difference: float | None = None
    refused: str = ""
    proof_s: float = 0.0
    cut_s: float = 0.0


def tried(name: str, shape: Shape) -> Row:
    row = Row(name)
    params = {"network": name}
    bare = Architecture(model="timm", params=params, classes=10, input_shape=shape)
    with torch.device("meta"):
        empty = family_network(bare)
    architecture = architecture_of(empty, "timm", params, 10, shape)
    dense = as_if_trained(fresh(architecture, seed=0))
    start = time.process_time()
    try:
        alone = left_alone(architecture)
        groups = prunable_groups(dense, architecture)
    except ValueError as error:
        row.refused = str(error)
        return row
    row.proof_s = time.process_time() - start
    row.groups, row.alone = len(groups), len(alone)
    row.alone_share, row.reasons = sum(entry.share for entry in alone), reasons(alone)
    start = time.process_time()
    row.macs = count_macs(dense, shape)
    target = Target(int(row.macs * BUDGET), row.macs, TOLERANCE)
    context = Context(architecture, target, torch.Generator(), lambda a: fresh(a, 1), dense=dense)
    try:
        compact = ChannelPruning(ChannelPruningParams(recalibrate=0)).run(context)
    except Infeasible as miss:
        row.refused = str(miss)
        return row
    assert isinstance(compact, CompactModel)
    row.cut_s, row.share = time.process_time() - start, compact.macs / row.macs
    assert target.lowest <= compact.macs <= target.macs
    row.difference = difference(dense, compact, groups, shape)
    return row


def reasons(alone: Sequence[LeftAlone]) -> tuple[str, ...]:
    """Why channels were left alone, each reason once, with the first layer and their number."""
    by_reason: dict[str, list[str]] = {}
    for entry in alone:
        generic = entry.reason
        for part in sorted(generic.split(), key=len, reverse=True):
            if "." in part.strip(".,"):
                generic = generic.replace(part, "…")
        by_reason.setdefault(generic, []).append(entry.layer)
    return tuple(
        f"{layers[0]}{f' and {len(layers) - 1} more' if len(layers) > 1 else ''}: {why}"
        for why, layers in by_reason.items()
    )


@torch.no_grad()
def difference(
    dense: nn.Module, compact: CompactModel, groups: Sequence[Group], shape: Shape
) -> float:
    """How far the cut network is from the dense one that does not hear the removed channels."""
    narrow = copy.deepcopy(compact.model).double().eval()
    again = rebuild(compact.architecture).double().eval()
    again.load_state_dict(narrow.state_dict())
    x = torch.randn(2, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(9))
    actual = narrow(x)
    assert torch.equal(again(x), actual), "rebuilt from its table of layers, it differs"
    with FlopCounterMode(display=False) as counter:
        narrow(x[:1])
    assert counter.get_total_flops() == 2 * compact.macs == 2 * count_macs(narrow, shape)
    deaf = copy.deepcopy(dense).double().eval()
    for group in groups:
        kept = set(compact.kept.get(group.name, range(10**9)))
        removed = [u for u in range(group.width) if not kept.issuperset(group.channels([u]))]
        for member in (member for member in group.members if member.side == "in"):
            channels = torch.from_numpy(member.index[removed].ravel())
            deafen(deaf.get_submodule(member.layer), channels)
    expected = deaf(x)
    assert not torch.allclose(dense.double().eval()(x), expected), "nothing was removed"
    return float((actual - expected).abs().max() / expected.abs().max())


def deafen(layer: nn.Module, channels: Tensor) -> None:
    def hook(module: nn.Module, inputs: Any) -> Tensor:
        heard: Tensor = inputs[0].index_fill(
            -1 if isinstance(module, nn.Linear) else 1, channels, 0
        )
        return heard

    layer.register_forward_pre_hook(hook)


def table(rows: Sequence[Row]) -> str:
    lines = [
        "| network | groups | left alone | of MACs | GMACs | cut to | difference | proof | cut |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for row in rows:
        share = f"{row.share:.2%}" if row.share is not None else "refused"
        apart = f"{row.difference:.0e}" if row.difference is not None else ""
        lines.append(
            f"| {row.network} | {row.groups} | {row.alone} | {row.alone_share:.0%} "
            f"| {row.macs / 1e9:.3f} | {share} | {apart} "
            f"| {row.proof_s:.1f} s | {row.cut_s:.1f} s |"
        )
    notes = [f"- {row.network}, refused: {row.refused}" for row in rows if row.refused]
    notes += [f"- {row.network}, {reason}" for row in rows for reason in row.reasons]
    return "\n".join([*lines, "", "Refused, and left alone:", "", *(notes or ["- nothing"])])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, help="write NAME.md and NAME.json")
    parser.add_argument("networks", nargs="*", help="some of the ten; default: all")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    try:
        import timm
    except ImportError:
        print("timm is not installed: nothing to do (pip install timm)")
        return
    torch.set_num_threads(1)
    load_plugins(["timm_family"])
    rows = []
    for name in arguments.networks or NETWORKS:
        rows.append(tried(name, NETWORKS[name]))
        print(table(rows[-1:]), flush=True)
    text = f"# Ten networks of timm's\n\n{NOTE.format(version=timm.__version__)}\n\n{table(rows)}\n"
    print(text)
    if arguments.out:
        arguments.out.with_suffix(".md").write_text(text)
        found = json.dumps([asdict(row) for row in rows], indent=1)
        arguments.out.with_suffix(".json").write_text(f"{found}\n")


if __name__ == "__main__":
    main()
