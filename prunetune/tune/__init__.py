"""The door to Ray: one Tune run for a whole sweep, and what decides within it."""

from prunetune.tune.callbacks import Observer
from prunetune.tune.console import SweepConsole
from prunetune.tune.ray.cluster import ClusterError
from prunetune.tune.ray.tuner import Interrupted, RunResult, run

__all__ = ["ClusterError", "Interrupted", "Observer", "RunResult", "SweepConsole", "run"]
