"""Reads files of tensors without running code: safetensors, and what `torch.save` writes.

Training scripts save more than tensors. Objects of some harmless types are let through, as inert
stand-ins: no code of theirs, or of NumPy's, is run to make them.
"""

from __future__ import annotations

import io
import pickle
import re
import warnings
from typing import Any

import safetensors.torch
import torch

_MULTIARRAY = {"scalar": "numpy scalar", "_reconstruct": "numpy array"}
"""Functions that make scalars and arrays, and what their stand-ins are called in messages."""

_NUMPY = (
    *("ndarray", "dtype", "bool", "bool_", "float16", "float32", "float64"),
    *("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
)
_PATHS = ("PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath", "Path", "PurePath")
_BUILTINS = ("bool", "dict", "float", "frozenset", "int", "list", "range", "slice", "str", "tuple")
_HARMLESS = (
    *(f"numpy.{name}" for name in _NUMPY),
    *(f"pathlib.{name}" for name in _PATHS),
    *(f"pathlib._local.{name}" for name in _PATHS),  # Python 3.13
    *(f"builtins.{name}" for name in _BUILTINS),
    *(f"datetime.{name}" for name in ("date", "datetime", "time", "timedelta", "timezone")),
    "argparse.Namespace",
    "types.SimpleNamespace",
)
"""Types of what scripts save beside weights: scalars, arrays, arguments, paths, times."""


class NotTensorsError(Exception):
    """The bytes are no file of tensors, are damaged, or hold objects of a foreign type."""


class _StandIn:
    """Takes the place of an object beside the weights, and keeps nothing of it."""

    def __new__(cls, *args: object) -> _StandIn:
        del args
        return super().__new__(cls)

    def __setstate__(self, state: object) -> None:
        del state


def read_tensors(data: bytes) -> Any:
    """What the bytes of a file hold: tensors on the CPU, in the containers they were saved in.

    Raises:
        NotTensorsError: the bytes are no such file, or an object in it is neither a tensor nor of a
            harmless type. The message names the type.
    """
    # a safetensors file begins with the length of its JSON header (8 bytes), then the header
    kind = "safetensors" if data[8:9] == b"{" else "torch weights"
    try:
        if kind == "safetensors":
            return safetensors.torch.load(data)
        with (
            warnings.catch_warnings(action="ignore"),  # PyTorch warns of old formats
            torch.serialization.safe_globals(_stand_ins()),
        ):
            return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:  # PyTorch's own message advises to run the code in it
        raise NotTensorsError(f"not readable as {kind}: {_refused_type(error)}") from error
    except Exception as error:  # a broken file can make a parser raise anything
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise NotTensorsError(f"not readable as {kind}: {reason}") from error


def _stand_ins() -> list[Any]:
    """Pairs of a stand-in and the name that it takes in a file."""
    named = {name: name for name in _HARMLESS}
    for module in ("numpy.core.multiarray", "numpy._core.multiarray"):  # before NumPy 2, and since
        named.update({f"{module}.{name}": title for name, title in _MULTIARRAY.items()})
    pairs: list[Any] = [(type(title, (_StandIn,), {}), name) for name, title in named.items()]
    return [*pairs, (_plain_dict, "collections.defaultdict")]


def _plain_dict(*factory: object) -> dict[Any, Any]:
    """An empty dict in the place of a defaultdict, whose factory is not called."""
    del factory
    return {}


def _refused_type(error: Exception) -> str:
    """Why PyTorch refused the file, in our words: the name of the type, if it is known."""
    name = re.search(r"GLOBAL (\S+)", str(error)) or re.search(r"load (DTensor)s", str(error))
    if name is None:
        return "it is not a torch file, or it holds code or objects beside tensors"
    return (
        f"it holds an object of the type {name[1]}, which is neither a tensor nor a plain value; "
        "save the network's state_dict() alone"
    )
