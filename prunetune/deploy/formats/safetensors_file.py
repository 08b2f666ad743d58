"""Safetensors: the weights, and the architecture in the file's metadata."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from prunetune.compress.network.rebuild import rebuild
from prunetune.deploy.formats.kind import RunImages


class SafetensorsFile:
    """Weights by name; `prunetune.rebuild` makes the network of the file's metadata."""

    suffix = ".safetensors"

    def write(
        self, model: nn.Module, example: Tensor, facts: Mapping[str, str], path: Path
    ) -> None:
        """See `FileKind`."""
        state = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
        save_file(state, path, metadata=dict(facts))

    def read(self, path: Path) -> RunImages:
        """See `FileKind`."""
        with safe_open(path, framework="pt") as file:
            model = rebuild(json.loads(file.metadata()["architecture"]))
        model.load_state_dict(load_file(path))
        model.eval()

        def run(images: Tensor) -> Tensor:
            with torch.inference_mode():
                logits: Tensor = model(images)
            return logits

        return run
