"""At which layer something failed: the error of a user's network must name it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from torch import nn


def layer_at_work(error: BaseException, model: nn.Module) -> str:
    """The name of the innermost layer of `model` that was at work when the error was raised.

    Where torch-pruning was at work on a node of its graph, the nearest layer before that node, or
    the nearest after it; else the class of the network.
    """
    names = {id(module): name for name, module in model.named_modules()}
    found, trace = "", error.__traceback__
    while trace is not None:
        for value in list(trace.tb_frame.f_locals.values()):
            found = _layer_near(value, names) or found
        trace = trace.tb_next
    return found or type(model).__name__


def _layer_near(value: Any, names: dict[int, str]) -> str:
    """The name of a layer, or of the layer nearest to a node of torch-pruning's graph."""
    return _nearest(value, "inputs", names) or _nearest(value, "outputs", names)


def _nearest(value: Any, towards: str, names: dict[int, str]) -> str:
    """See `_layer_near`, in one direction of the graph."""
    seen: set[int] = set()
    to_visit: Collection[Any] = [value]
    while to_visit:
        nearest = [item.module if hasattr(item, "dependencies") else item for item in to_visit]
        for module in nearest:
            if isinstance(module, nn.Module) and names.get(id(module)):
                return names[id(module)]
        seen |= {id(item) for item in to_visit}
        near = (i for node in to_visit for i in getattr(node, towards, None) or ())
        to_visit = [i for i in near if id(i) not in seen]
    return ""
