from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from prunetune.config.parts import Named
from prunetune.registry import datasets

CPU = torch.device("cpu")


@pytest.fixture
def real() -> str:
    """The folder of real data sets."""
    root = os.environ.get("PRUNETUNE_DATA")
    if root is None or not (Path(root) / "cifar-10-batches-py").is_dir():
        pytest.skip("needs real data sets in $PRUNETUNE_DATA")
    return root


def made(name: str, **params):
    return datasets.make(Named(name=name, params=params))


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)
