"""Methods: one file each."""

from prunetune.compress.methods import (
    channel_pruning,
    copycat,
    dense,
    reinit,
    weight_pruning,
    width_scaling,
)

__all__ = ["channel_pruning", "copycat", "dense", "reinit", "weight_pruning", "width_scaling"]
