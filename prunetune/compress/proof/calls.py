"""Which functions of PyTorch a network calls: two passes that call the same take the same path."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from prunetune.compress.graph.tracing import ShapesOnly, example_input
from prunetune.protocols import Shape

_DROPOUTS = {
    "dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout",
}  # fmt: skip


@dataclass
class Calls:
    """What one forward pass of a network calls."""

    functions: list[str] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    """How many values each channel of each convolution has for one image, where it has several."""


def calls_of(twin: nn.Module, input_shape: Shape, *, training: bool = False) -> Calls:
    """The calls of a forward pass that computes shapes only, of a copy without data."""
    twin.train(training)
    known = {id(tensor) for tensor in (*twin.parameters(), *twin.buffers())}
    recorder = _Recorder(known)
    with torch.random.fork_rng(devices=[]), torch.no_grad(), recorder:  # dropout draws
        twin(example_input(twin, input_shape))
    return recorder.found


class _Recorder(ShapesOnly):
    def __init__(self, known: set[int]) -> None:
        super().__init__()
        self.found = Calls()
        self._known = known

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """See `TorchFunctionMode`."""
        name = str(getattr(func, "__name__", ""))
        of_layer = bool(args) and id(args[0]) in self._known  # such as counting batches
        if name not in ("__get__", *_DROPOUTS) and not of_layer:
            self.found.functions.append(name)
        output = super().__torch_function__(func, types, args, kwargs)
        if name.startswith("conv") and isinstance(output, Tensor):
            positions = math.prod(output.shape[2:])
            if positions > 1:
                self.found.positions.append(positions)
        return output


class WithoutDropout(TorchFunctionMode):
    """Makes dropout the identity: its random zeros are others in a narrower network."""

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """See `TorchFunctionMode`."""
        if getattr(func, "__name__", "") in _DROPOUTS:
            return args[0]
        return func(*args, **(kwargs or {}))


def small_shape(twin: nn.Module, input_shape: Shape, whole: Calls) -> Shape:
    """The smallest images on which the network takes the same path as on whole ones.

    Its narrowest maps still have about four positions. The whole shape where that cannot be had.
    """
    if len(input_shape) != 3 or not whole.positions:
        return input_shape
    for positions in (1.5, 3):  # along a side of the narrowest maps; sizes are rounded up
        shrink = positions / math.sqrt(min(whole.positions))
        height, width = (8 * math.ceil(size * shrink / 8) for size in input_shape[1:])
        small = (input_shape[0], height, width)
        if height < input_shape[1] and width < input_shape[2] and _same_path(twin, small, whole):
            return small
    return input_shape


def _same_path(twin: nn.Module, shape: Shape, whole: Calls) -> bool:
    try:
        return calls_of(twin, shape).functions == whole.functions
    except Exception:  # whatever it raises, it does not run on small images
        return False
