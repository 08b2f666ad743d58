"""The training engine: one loop for every arm, fast on CPU cores and on a GPU, resumable."""

from prunetune.train import optim, schedule

__all__ = ["optim", "schedule"]
