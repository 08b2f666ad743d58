"""Weights from files: safetensors or a torch state dict, never unpickled, matched by name."""

from __future__ import annotations

import hashlib
import io
import pickle
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn

SHOWN = 5
"""Names listed in an error."""


class WeightsFileError(ValueError):
    """A file of weights that is missing, corrupt, foreign, or of another network."""


def load_state(path: Path | str, *, sha256: str | None = None) -> dict[str, Tensor]:
    """The state dict in `path`, on the CPU, without `state_dict` wrapper and `module.` prefixes.

    CheckpointError names the file and the reason: it cannot be read, its SHA-256 is not the one
    given, it holds anything but tensors (no code in it is ever run).
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise WeightsFileError(f"{path}: cannot be read: {error.strerror}") from error
    if sha256 is not None and (found := hashlib.sha256(data).hexdigest()) != sha256:
        raise WeightsFileError(f"{path}: SHA-256 is {found}, expected {sha256}")
    content = _parse(data, path)
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]
    if not isinstance(content, Mapping) or not content:
        raise WeightsFileError(f"{path}: not a state dict but {type(content).__name__}")
    for name, value in content.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise WeightsFileError(f"{path}: {name!r} is {type(value).__name__}, not a tensor")
    return {name.removeprefix("module."): value.detach() for name, value in content.items()}


def match_state(model: nn.Module, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """`state` ready for a strict load into `model`; CheckpointError names what does not fit.

    Counters of batches that batch norms seen by old versions of torch lack are those of `model`.
    """
    wanted = model.state_dict()
    missing = [name for name in wanted if name not in state and not _counter(name)]
    unexpected = [name for name in state if name not in wanted]
    shapes = [
        f"{name} {tuple(state[name].shape)} instead of {tuple(wanted[name].shape)}"
        for name in wanted
        if name in state and state[name].shape != wanted[name].shape
    ]
    faults = {"missing": missing, "unexpected": unexpected, "of another shape": shapes}
    if any(faults.values()):
        told = "; ".join(f"{what}: {_list(names)}" for what, names in faults.items() if names)
        raise WeightsFileError(f"the weights are not those of this network: {told}")
    return {name: state.get(name, value) for name, value in wanted.items()}


def _parse(data: bytes, path: Path | str) -> Any:
    # safetensors begin with the length of a JSON header; the rest is for torch to judge
    kind = "safetensors" if data[8:9] == b"{" else "torch weights"
    try:
        if kind == "safetensors":
            return safetensors.torch.load(data)
        with warnings.catch_warnings(action="ignore"):  # of old formats, which it reads
            return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:  # torch would advise to run what is in it
        reason = "it is no torch file, or holds code or objects beside tensors"
        raise WeightsFileError(f"{path}: refused, not readable as {kind}: {reason}") from error
    except Exception as error:  # whatever a broken file makes a parser raise
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise WeightsFileError(f"{path}: refused, not readable as {kind}: {reason}") from error


def _counter(name: str) -> bool:
    return name.endswith("num_batches_tracked")


def _list(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
