"""Weight pruning: zeroes single weights by magnitude (Gupta et al., 2209.14624)."""

from prunetune.compress.methods.weight_pruning.method import WeightPruning

__all__ = ["WeightPruning"]
