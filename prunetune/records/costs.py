"""What computing costs, in multiply-accumulates."""

from __future__ import annotations

TRAINING_PASS = 3
"""Forward passes that one training step amounts to: a backward pass counts as two."""


def training_macs(macs: int, images: int, epochs: int = 1) -> int:
    """MACs of training a network of `macs` (batch 1) for `epochs` passes over `images`."""
    return TRAINING_PASS * macs * images * epochs
