"""What a part may not leave behind: changes to a model, draws from global generators."""

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
    """AssertionError if what runs inside changes `model` or moves a global random generator.

    `but` is what may change, as the error would call it ("gradient"). Seen are weights, buffers,
    gradients, requires_grad, modes, hooks on modules and on tensors, attributes of modules (a
    replaced `forward`, say) and the modules themselves.
    """
    before, drawn = _facts(model), _generators()
    yield
    after = _facts(model)
    for place in [*before, *(place for place in after if place not in before)]:
        assert place.startswith(but) or _same(before.get(place), after.get(place)), (
            f"{who} changed the {place} of the model it was given; work on a copy "
            "(copy.deepcopy), and remove every hook, gradient and mode you set"
        )
    for name, state in _generators().items():
        assert _same(drawn[name], state), (
            f"{who} drew from {name}; draw from the generator that you are given, so that a trial "
            "repeats under its seed whatever ran before it"
        )


def _facts(model: nn.Module) -> dict[str, Any]:
    """All that can be seen of a model, by place."""
    found: dict[str, Any] = {}
    for name, module in model.named_modules():
        where = f"layer {name!r}"
        found[f"type of {where}"] = type(module)
        found[f"mode of {where}"] = module.training
        found[f"attributes of {where}"] = sorted(vars(module))
        for kind, value in vars(module).items():
            if kind.endswith("_hooks") and value:
                found[f"{kind.strip('_')} of {where}"] = tuple(value)
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        found[f"values of {name!r}"] = tensor.detach().clone()
        found[f"gradient of {name!r}"] = None if tensor.grad is None else tensor.grad.clone()
        found[f"requires_grad of {name!r}"] = tensor.requires_grad
        found[f"hooks of {name!r}"] = tuple(tensor._backward_hooks or ())
    return found


def _generators() -> dict[str, Any]:
    """The state of every global generator."""
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
