"""Loads weights from files (safetensors or a torch state dict) and matches them by name.

A file is never unpickled: no code in it is run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from prunetune.models.file_kinds import kind_of_file
from prunetune.models.layer_names import sources, without_prefixes
from prunetune.models.sole_state import sole_state
from prunetune.models.tensor_files import NotTensorsError, read_tensors

_MAX_LISTED = 5
"""At most so many names are listed in an error."""


class WeightsFileError(ValueError):
    """A file of weights is missing or corrupt, or its weights are those of another network."""

    exit_code = 3


def load_state(path: Path | str, *, sha256: str | None = None) -> dict[str, Tensor]:
    """The state dict in `path`, on the CPU, without what wraps it and prefixes of wrappers.

    Whatever else a training script saved beside the weights is left out: epoch numbers, the state
    of an optimizer, arguments, a profiler's counts.

    Raises:
        WeightsFileError: the file cannot be read, its SHA-256 is not `sha256`, it holds objects of
            a foreign type, or it holds no weights or several sets of them. The message names the
            file and the reason.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise WeightsFileError(f"{path}: cannot be read: {error.strerror}") from error
    if sha256 is not None and (actual := hashlib.sha256(data).hexdigest()) != sha256:
        raise WeightsFileError(f"{path}: SHA-256 is {actual}, expected {sha256}")
    try:
        content = read_tensors(data)
    except NotTensorsError as error:
        kind = kind_of_file(data)
        reason = f"it seems to be {kind}" if kind else str(error)
        raise WeightsFileError(f"{path}: refused, {reason}") from error
    try:
        state = sole_state(content)
    except ValueError as error:
        raise WeightsFileError(f"{path}: {error}") from error
    names = without_prefixes(state)
    return {names[name]: value.detach() for name, value in state.items()}


def match_state(
    model: nn.Module, state: Mapping[str, Tensor], *, finite: bool = True
) -> dict[str, Tensor]:
    """`state` in the names and dtypes of `model`, ready for a strict load into it.

    Names agree if they differ in the names of wrappers alone. Floating point values become the
    nearest of the model's dtype, so those of float16 and bfloat16 come into float32 exactly. Old
    versions of PyTorch did not save the batch counters of batch norms: where `state` lacks one, the
    counter of `model` is kept. With `finite` false, values may be NaN or infinite.

    Raises:
        WeightsFileError: names are missing or unexpected, shapes differ, values are of a kind that
            the layer cannot hold, or values are not finite. The message lists the names.
    """
    expected = model.state_dict()
    source = sources(expected, state)
    _refuse("the weights are not those of this network", _misfits(expected, state, source))
    matched = {
        name: state[source[name]].to(value.dtype) if name in source else value
        for name, value in expected.items()
    }
    if finite:
        _refuse("the weights are damaged", {"not finite": _not_finite(matched)})
    return matched


def _misfits(
    expected: Mapping[str, Tensor], state: Mapping[str, Tensor], source: Mapping[str, str]
) -> dict[str, list[str]]:
    """Names that are missing or unexpected, and tensors that their layer cannot hold, by fault."""
    used = set(source.values())
    unfit = {name: _unfit(state[given], expected[name]) for name, given in source.items()}
    return {
        "missing": [name for name in expected if name not in source and not _is_counter(name)],
        "unexpected": [name for name in state if name not in used],
        "of another shape": [
            f"{name} {tuple(state[given].shape)} instead of {tuple(expected[name].shape)}"
            for name, given in source.items()
            if not unfit[name] and state[given].shape != expected[name].shape
        ],
        "of another kind": [f"{name} is {reason}" for name, reason in unfit.items() if reason],
    }


def _unfit(value: Tensor, expected: Tensor) -> str | None:
    """Why a layer cannot hold the value, whatever its shape; None if it can."""
    wanted = str(expected.dtype).removeprefix("torch.")
    if value.is_quantized:
        return f"quantised ({value.dtype}), not {wanted}"
    if value.is_nested or value.layout != torch.strided:
        return f"sparse ({value.layout}), not dense"
    if value.is_meta:
        return "without values (saved from the device meta)"
    if value.is_floating_point() and expected.is_floating_point():
        return None
    if value.is_complex() or expected.is_floating_point() or not _is_whole(value, expected):
        return f"{str(value.dtype).removeprefix('torch.')}, not {wanted}"
    return None


def _is_whole(value: Tensor, expected: Tensor) -> bool:
    """Whether the integer or boolean dtype of `expected` holds each value exactly."""
    return torch.equal(value.to(expected.dtype).to(value.dtype), value)


def _not_finite(state: Mapping[str, Tensor]) -> list[str]:
    """The tensors with values that are NaN or infinite, each with their number."""
    counts = {
        name: int((~value.isfinite()).sum())
        for name, value in state.items()
        if value.is_floating_point() and not value.is_meta
    }
    return [
        f"{name} ({n} of {state[name].numel()} values are NaN or infinite)"
        for name, n in counts.items()
        if n
    ]


def _refuse(verdict: str, faults: Mapping[str, list[str]]) -> None:
    """Raise a WeightsFileError that lists the faults, if there are any."""
    if any(faults.values()):
        listed = "; ".join(f"{fault}: {_list(names)}" for fault, names in faults.items() if names)
        raise WeightsFileError(f"{verdict}: {listed}")


def _is_counter(name: str) -> bool:
    return name.endswith("num_batches_tracked")


def _list(names: list[str]) -> str:
    more = f" and {len(names) - _MAX_LISTED} more" if len(names) > _MAX_LISTED else ""
    return ", ".join(names[:_MAX_LISTED]) + more
