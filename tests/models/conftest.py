from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.fixture
def checkpoints() -> Path:
    folder = Path(os.environ.get("PRUNETUNE_DATA", "")) / "checkpoints"
    if "PRUNETUNE_DATA" not in os.environ or not folder.is_dir():
        pytest.skip("needs the published checkpoints in $PRUNETUNE_DATA/checkpoints")
    return folder


def macs(model: nn.Module, shape: tuple[int, int, int]) -> int:
    """MACs as PyTorch counts them, of a model on the meta device."""
    with FlopCounterMode(display=False) as counter:
        model.eval()(torch.empty(1, *shape, device="meta"))
    return counter.get_total_flops() // 2


def n_params(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())
