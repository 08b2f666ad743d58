"""The verb `bench`: how fast networks are on this machine."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from prunetune.cli.completion import offered_networks
from prunetune.cli.exits import Exit
from prunetune.cli.options import AsJson, Storage

if TYPE_CHECKING:
    from prunetune.analysis.evidence.latencies import Latency, LatencyCorrelation

NetworkWords = Annotated[
    list[str],
    typer.Argument(
        metavar="SWEEP|TRIAL...",
        help="A sweep (its dense network, and one confirmed network of each study) or trials.",
        autocompletion=offered_networks,
    ),
]
BatchOptions = Annotated[
    list[int] | None,
    typer.Option("--batch", min=1, help="Images in a call; repeatable. Else 1, 64 and 256."),
]


def bench(
    networks: NetworkWords,
    storage: Storage = "runs",
    batches: BatchOptions = None,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads of a call.")] = 1,
    device: Annotated[str, typer.Option(help="auto (a GPU where there is one), cpu or cuda.")] = (
        "auto"
    ),
    dtype: Annotated[
        Literal["float32", "bfloat16", "float16"], typer.Option(help="Of weights and images.")
    ] = "float32",
    memory_format: Annotated[
        Literal["channels_last", "contiguous"], typer.Option(help="Layout of images and weights.")
    ] = "channels_last",
    processes: Annotated[int, typer.Option(min=1, help="Fresh processes that time.")] = 3,
    seconds: Annotated[
        float, typer.Option(min=0.01, help="Of each network at each batch in each process, about.")
    ] = 0.5,
    as_json: AsJson = False,
) -> None:
    """Time networks: median and 90th percentile of a forward pass, over fresh processes.

    Networks take turns call by call, so that whatever else the machine does hits all alike. The
    times are kept beside the records (bench/KEY/DEVICE.json), and `prunetune report` shows them.
    """
    from prunetune.analysis.evidence.latencies import latencies_of, latency_correlations
    from prunetune.deploy.latency.bench import BenchSetting, bench_networks
    from prunetune.registry import load_plugins, make_importable
    from prunetune.sweep.bench_targets import bench_targets

    if device not in ("auto", "cpu") and not device.startswith("cuda"):
        raise Exit(2, f"--device: got {device!r}; allowed: auto, cpu, cuda, cuda:N")
    make_importable([str(Path.cwd())])  # plug-ins may lie beside the sweep file
    targets, plugins = bench_targets(networks, storage)
    load_plugins(plugins)
    setting = BenchSetting(
        batches=tuple(dict.fromkeys(batches or (1, 64, 256))),
        device=device,
        threads=threads,
        dtype=dtype,
        memory_format=memory_format,
        processes=processes,
        seconds=seconds,
    )
    benches = bench_networks(targets, setting, plugins)
    chosen = (threads, dtype, memory_format)
    timed = [
        latency
        for target, one in zip(targets, benches, strict=True)
        for latency in latencies_of(target.record, one, target.masked)
        if latency.batch in setting.batches and latency.conditions[1:] == chosen
    ]
    _print(timed, latency_correlations(timed), as_json)


def _print(
    timed: Sequence[Latency], correlations: Sequence[LatencyCorrelation], as_json: bool
) -> None:
    if as_json:
        facts = {
            "latencies": [latency.model_dump(mode="json") for latency in timed],
            "correlations": [each.model_dump(mode="json") for each in correlations],
        }
        print(json.dumps(facts, indent=1))
        return
    from prunetune.cli.bench_table import print_latencies

    print_latencies(timed, correlations)
