"""Finds the weights among all that a training script saved in one file."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from torch import Tensor

_COUNTS = frozenset({"total_ops", "total_params", "__flops__", "__params__", "__batch_counter__"})
"""Last parts of the names of buffers that profilers (thop, ptflops) leave on the layers."""

_AVERAGED = "n_averaged"
"""The counter that PyTorch's AveragedModel keeps beside the network, which it calls `module`."""

_ASIDE = re.compile(
    "optim|sched|scaler|rng|callback|loop|criterion|loss|metric|grad|momentum|hyper", re.IGNORECASE
)
"""Such a word in an entry's name says that it holds no weights of the network."""

_NETWORK = re.compile("model|net|ema|weight|state_?dict", re.IGNORECASE)
"""Such a word says that the entry may hold them after all (`best_loss_model`)."""


def sole_state(content: Any) -> dict[str, Tensor]:
    """The one mapping of names to tensors in `content`, whatever it is called; counts left out.

    The outermost mapping counts. One with a layer's weight in it (`conv1.weight`) comes before one
    with other tensors, such as random states, and one whose name says that it is not the network's
    (`criterion`) is taken only if there is no other.

    Raises:
        ValueError: `content` holds no such mapping, or several, or a value in it is not a tensor.
            The message names them.
    """
    if not isinstance(content, Mapping | list | tuple) or not content:
        raise ValueError(f"not a state dict but {type(content).__name__}")
    state = _sole(content)
    if not isinstance(state, Mapping):
        raise ValueError(f"not a state dict but {type(state).__name__} without weights in it")
    if not any(isinstance(value, Tensor) for value in state.values()) and state is content:
        raise ValueError(f"holds no weights, only {', '.join(repr(name) for name in state)}")
    kept = {name: value for name, value in state.items() if not _is_count(name, state)}
    for name, value in kept.items():
        if not isinstance(value, Tensor):
            raise ValueError(f"{name!r} is {type(value).__name__}, not a tensor")
        if not isinstance(name, str):
            raise ValueError(f"{name!r} is {type(value).__name__} whose name is not text")
    return kept


def _sole(content: Any) -> Any:
    """The only state in `content`, or `content` itself if no state is in it."""
    for is_state in (_has_weights, _has_layers, _is_all_tensors):
        for aside in (False, True):
            found = _outermost(content, is_state, aside=aside)
            if len({id(state) for state in found.values()}) > 1:
                names = ", ".join(repr(path) for path in found)
                cure = "save the wanted one in a file of its own"
                raise ValueError(f"holds several sets of weights: {names}; {cure}")
            if found:
                return next(iter(found.values()))
    return content


def _outermost(
    content: Any, is_state: Callable[[Any], bool], *, aside: bool
) -> dict[str, Mapping[Any, Any]]:
    """The states that lie least deep in `content`, by their path; with `aside`, in any entry."""
    level: dict[str, Any] = {"": content}
    seen: set[int] = set()  # a file may hold an object that holds itself
    while level:
        found = {path: holder for path, holder in level.items() if is_state(holder)}
        if found:
            return found
        seen.update(id(holder) for holder in level.values())
        level = {
            f"{path}.{name}".removeprefix("."): child
            for path, holder in level.items()
            for name, child in _entries(holder)
            if (aside or not _is_aside(str(name)))
            and isinstance(child, Mapping | list | tuple)
            and id(child) not in seen
        }
    return {}


def _entries(holder: Any) -> Iterable[tuple[Any, Any]]:
    """The named entries of a mapping, or numbered ones of a list, that may hold weights."""
    if not isinstance(holder, Mapping):
        return enumerate(holder)
    return () if "param_groups" in holder else holder.items()  # with it: an optimizer's state


def _is_aside(name: str) -> bool:
    return bool(_ASIDE.search(name)) and not _NETWORK.search(name)


def _has_weights(holder: Any) -> bool:
    return isinstance(holder, Mapping) and any(
        isinstance(name, str) and name.endswith(".weight") and isinstance(value, Tensor)
        for name, value in holder.items()
    )


def _has_layers(holder: Any) -> bool:
    """Whether names are those of weights. Their values may be arrays, which are refused by name."""
    return isinstance(holder, Mapping) and any(
        isinstance(name, str) and name.endswith(".weight") and not isinstance(value, Mapping)
        for name, value in holder.items()
    )


def _is_all_tensors(holder: Any) -> bool:
    return (
        isinstance(holder, Mapping)
        and bool(holder)
        and all(isinstance(n, str) and isinstance(v, Tensor) for n, v in holder.items())
    )


def _is_count(name: Any, state: Mapping[Any, Any]) -> bool:
    """Whether the entry counts what a profiler or an averaged network saw, and is no weight."""
    if name == _AVERAGED:
        return all(str(other).startswith("module.") for other in state if other != _AVERAGED)
    return str(name).rpartition(".")[2] in _COUNTS
