"""From a dense network and a MAC budget to a compact network."""

from prunetune.compress import (
    channel_pruning,
    copycat,
    dense,
    reinit,
    weight_pruning,
    width_scaling,
)

__all__ = ["channel_pruning", "copycat", "dense", "reinit", "weight_pruning", "width_scaling"]
