"""A `torch.export` program (.pt2): the graph with its weights, which needs torch alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from prunetune.deploy.formats.kind import RunImages


class TorchExportFile:
    """The program takes batches of any size; `prunetune.json` in the archive has the facts."""

    suffix = ".pt2"

    def write(
        self, model: nn.Module, example: Tensor, facts: Mapping[str, str], path: Path
    ) -> None:
        """See `FileKind`."""
        any_batch = ({0: torch.export.Dim("batch")},)
        program = torch.export.export(model, (example,), dynamic_shapes=any_batch)
        extra = {"prunetune.json": json.dumps(dict(facts), indent=1)}
        # torch refuses names that do not end in .pt2, even where they are scratch
        with path.open("wb") as file:
            torch.export.save(program, file, extra_files=extra)

    def read(self, path: Path) -> RunImages:
        """See `FileKind`."""
        with path.open("rb") as file:
            module = torch.export.load(file).module()

        def run(images: Tensor) -> Tensor:
            with torch.inference_mode():
                logits: Tensor = module(images)
            return logits

        return run
