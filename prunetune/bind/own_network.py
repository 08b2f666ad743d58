"""Checks the dense network itself, once its parameters are right: a user may have written it."""

from __future__ import annotations

import torch

from prunetune.compress.network.logits import check_logits
from prunetune.compress.network.undrawn import undrawn
from prunetune.user_code.find import ClassError
from prunetune.workload import Workload


def check_network(workload: Workload) -> bool:
    """True for a network that answers with one logit per class; its code draws its weights.

    Raises:
        ValueError: it does not.
        ClassError: its class cannot be had, called, or makes the same weights under every seed.
    """
    with undrawn():
        model = workload.build()
    check_logits(model, workload.info.classes, workload.info.shape)
    if getattr(workload.family, "draws_in_constructor", False):
        _check_draws(workload)
    return True


def _check_draws(workload: Workload) -> None:
    """Refuse a network whose initial weights do not follow from PyTorch's seed, and it alone.

    Raises:
        ClassError: two seeds give the same weights, or one seed gives others each time.
    """
    states = []
    with torch.random.fork_rng(devices=[]):
        for seed in (0, 1, 0):
            torch.default_generator.manual_seed(seed)
            states.append(workload.build().state_dict())
    first, other, again = states
    if not _equal(first, again):
        raise ClassError(
            "has other weights each time under one seed, so no trial could be repeated; draw all "
            "of them from PyTorch's global generator"
        )
    if _equal(first, other):
        raise ClassError(
            "has the same weights under every seed, so nothing would be trained from scratch; if "
            "it loads them from a file, leave that to workload.dense: {checkpoint: {path: …}}",
            "args",
        )


def _equal(state: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(value, other[name]) for name, value in state.items())
