"""Runs a whole sweep as one Ray Tune run, and decides what each trial does in it."""

from prunetune.tune.callbacks import Observer
from prunetune.tune.console import SweepConsole
from prunetune.tune.ray.errors import ClusterError
from prunetune.tune.ray.tuner import Interrupted, RunResult, run

__all__ = ["ClusterError", "Interrupted", "Observer", "RunResult", "SweepConsole", "run"]
