"""Builds networks whose initial weights nobody needs, but whose buffers somebody does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

_DRAWING = {"uniform_", "normal_", "erfinv_", "mul_", "add_", "clamp_"}
"""The methods that initial weights are drawn with, a truncated normal distribution included."""
_SETTING = {"zeros_", "ones_", "constant_"}
"""The functions of `torch.nn.init` that do not draw."""


@contextmanager
def undrawn() -> Iterator[None]:
    """Build networks within the block without their initial weights: uninitialised memory.

    This is nearly as fast as PyTorch's device "meta", but buffers get their values, of which some
    say which channels go where. The state of the global random generator stays as it is.
    """
    with torch.random.fork_rng(devices=[]), _Undrawn():
        torch.default_generator.manual_seed(0)
        yield


class _Undrawn(TorchFunctionMode):
    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """See `TorchFunctionMode`."""
        name = getattr(func, "__name__", "")
        of_init = getattr(func, "__module__", "") == "torch.nn.init" and name not in _SETTING
        if name in _DRAWING or of_init:
            tensor = args[0] if args else (kwargs or {}).get("tensor")
            if isinstance(tensor, nn.Parameter):
                return tensor
        return func(*args, **(kwargs or {}))
