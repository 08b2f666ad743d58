"""The door to Ray: one Tune run for a whole sweep, and what decides within it."""

from prunetune.tune.cluster import ClusterError
from prunetune.tune.observers import Observer
from prunetune.tune.progress import Progress
from prunetune.tune.run import Interrupted, Outcome, run

__all__ = ["ClusterError", "Interrupted", "Observer", "Outcome", "Progress", "run"]
