"""Detects what a part must not do: change a model, or draw from a global random generator."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn


@contextmanager
def untouched(model: nn.Module, who: str, *, but: str = "nothing") -> Iterator[None]:
    """AssertionError if the code inside changes `model` or moves a global random generator.

    Compared are weights, buffers, gradients, requires_grad, modes, hooks on modules and tensors,
    attributes of modules (a replaced `forward`, for example) and the modules themselves. `but`
    allows one kind of change, named as in the error message ("gradient").
    """
    before, generators_before = _facts(model), _generators()
    yield
    after = _facts(model)
    for fact in [*before, *(fact for fact in after if fact not in before)]:
        assert fact.startswith(but) or _same(before.get(fact), after.get(fact)), (
            f"{who} changed the {fact} of the model it was given; work on a copy "
            "(copy.deepcopy), and remove every hook, gradient and mode you set"
        )
    for name, state in _generators().items():
        assert _same(generators_before[name], state), (
            f"{who} drew from {name}; draw from the generator that you are given, so that a trial "
            "repeats under its seed whatever ran before it"
        )


def _facts(model: nn.Module) -> dict[str, Any]:
    """Everything about a model that can be compared, by a name for the error message."""
    facts: dict[str, Any] = {}
    for name, module in model.named_modules():
        layer = f"layer {name!r}"
        facts[f"type of {layer}"] = type(module)
        facts[f"mode of {layer}"] = module.training
        facts[f"attributes of {layer}"] = sorted(vars(module))
        for kind, value in vars(module).items():
            if kind.endswith("_hooks") and value:
                facts[f"{kind.strip('_')} of {layer}"] = tuple(value)
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        facts[f"values of {name!r}"] = tensor.detach().clone()
        facts[f"gradient of {name!r}"] = None if tensor.grad is None else tensor.grad.clone()
        facts[f"requires_grad of {name!r}"] = tensor.requires_grad
        facts[f"hooks of {name!r}"] = tuple(tensor._backward_hooks or ())
    return facts


def _generators() -> dict[str, Any]:
    """The state of every global random generator."""
    numpy: Any = np.random.get_state()
    return {
        "torch's global generator": torch.get_rng_state(),
        "numpy's global generator": (numpy[1].tobytes(), *numpy[2:]),
        "Python's global generator": random.getstate(),
    }


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor):
        return a.shape == b.shape and a.dtype == b.dtype and bool(((a == b) | (a != a)).all())
    return bool(type(a) is type(b) and a == b)
