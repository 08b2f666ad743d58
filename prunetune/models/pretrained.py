"""Reads weights from files (safetensors or a torch state dict) and matches them by name.

A file is never unpickled: no code in it is run.
"""

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

_MAX_LISTED = 5
"""At most so many names are listed in an error."""


class WeightsFileError(ValueError):
    """A file of weights is missing or corrupt, or its weights are those of another network."""


def load_state(path: Path | str, *, sha256: str | None = None) -> dict[str, Tensor]:
    """The state dict in `path`, on the CPU, without `state_dict` wrapper and `module.` prefixes.

    Raises:
        WeightsFileError: the file cannot be read, its SHA-256 is not `sha256`, or it holds anything
            but tensors. The message names the file and the reason.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise WeightsFileError(f"{path}: cannot be read: {error.strerror}") from error
    if sha256 is not None and (actual := hashlib.sha256(data).hexdigest()) != sha256:
        raise WeightsFileError(f"{path}: SHA-256 is {actual}, expected {sha256}")
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
    """`state`, ready for a strict load into `model`.

    Old versions of PyTorch did not save the batch counters of batch norms: where `state` lacks one,
    the counter of `model` is kept.

    Raises:
        WeightsFileError: names are missing or unexpected, or shapes differ. The message lists them.
    """
    expected = model.state_dict()
    missing = [name for name in expected if name not in state and not _is_counter(name)]
    unexpected = [name for name in state if name not in expected]
    shapes = [
        f"{name} {tuple(state[name].shape)} instead of {tuple(expected[name].shape)}"
        for name in expected
        if name in state and state[name].shape != expected[name].shape
    ]
    faults = {"missing": missing, "unexpected": unexpected, "of another shape": shapes}
    if any(faults.values()):
        listed = "; ".join(f"{fault}: {_list(names)}" for fault, names in faults.items() if names)
        raise WeightsFileError(f"the weights are not those of this network: {listed}")
    return {name: state.get(name, value) for name, value in expected.items()}


def _parse(data: bytes, path: Path | str) -> Any:
    # a safetensors file begins with the length of its JSON header (8 bytes), then the header
    kind = "safetensors" if data[8:9] == b"{" else "torch weights"
    try:
        if kind == "safetensors":
            return safetensors.torch.load(data)
        with warnings.catch_warnings(action="ignore"):  # PyTorch warns of old formats
            return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:  # PyTorch's own message advises to run the code in it
        reason = "it is not a torch file, or it holds code or objects beside tensors"
        raise WeightsFileError(f"{path}: refused, not readable as {kind}: {reason}") from error
    except Exception as error:  # a broken file can make a parser raise anything
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise WeightsFileError(f"{path}: refused, not readable as {kind}: {reason}") from error


def _is_counter(name: str) -> bool:
    return name.endswith("num_batches_tracked")


def _list(names: list[str]) -> str:
    more = f" and {len(names) - _MAX_LISTED} more" if len(names) > _MAX_LISTED else ""
    return ", ".join(names[:_MAX_LISTED]) + more
