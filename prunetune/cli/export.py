"""The verb `export`: a trial's network as a file for use elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from prunetune.cli.exits import Exit
from prunetune.cli.json_text import print_json
from prunetune.cli.options import AsJson, Offline, Storage, TrialArgument

Format = Annotated[
    Literal["safetensors", "torch_export", "onnx"],
    typer.Option("--to", help="The kind of file; onnx needs pip install 'prunetune[onnx]'."),
]
Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="FILE", help="The file; else KEY and a suffix, here."),
]
Tolerance = Annotated[
    float, typer.Option(min=0, help="The largest difference of a logit that is let pass.")
]


def export(
    trial: TrialArgument,
    to: Format,
    output: Output = None,
    storage: Storage = "runs",
    tolerance: Tolerance = 1e-4,
    offline: Offline = False,
    as_json: AsJson = False,
) -> None:
    """Export a trial's network, once the file agrees with the original on real images.

    The network takes images that are normalised as in training; the file says how. If the outputs
    differ, nothing is written, and the exit code is 1.
    """
    from prunetune.deploy.export import export_network, file_kind
    from prunetune.registry import load_plugins, make_importable
    from prunetune.sweep.trial_facts import trial_facts

    facts = trial_facts(trial, storage)
    if facts.record is None:
        raise Exit(2, f"trial {facts.key} has not ended: {facts.state}")
    make_importable([str(Path.cwd())])  # plug-ins may lie beside the sweep file
    load_plugins(facts.trial.plugins if facts.trial else ())
    path = output or Path(f"{facts.key}{file_kind(to).suffix}")
    exported = export_network(
        facts.store(storage), facts.record, to, path, tolerance=tolerance, download=not offline
    )
    if as_json:
        print_json(exported)
        return
    print(
        f"{exported.file}: {exported.size_bytes:,} bytes; on {exported.images} validation images "
        f"its logits differ by {exported.max_difference:.2g} at most, and {exported.same_class} "
        "get the same class"
    )
