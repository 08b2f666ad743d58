"""Seeds: every use of random numbers gets its own, from the root seed and the name of the use."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping


def child_seed(*names: int | str) -> int:
    """A 63-bit seed from a path of names, e.g. `child_seed(sweep_seed, trial_seed, "order")`.

    The same names give the same seed on any machine; different names give unrelated ones.
    """
    text = "/".join(f"{type(name).__name__}:{name}" for name in names)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


TRIAL_STREAMS = ("init", "order", "augmentation", "ties", "scoring")
STREAM_VERSION = 2
"""How the streams of new trials are named. In version 1 the phase was no part of a name, so that a
dense network and a network fine-tuned from it saw the same batches and crops."""


def trial_seeds(
    sweep_seed: int, seed: int, phase: str, version: int = STREAM_VERSION
) -> dict[str, int]:
    """The named seeds of one trial, as they stand in its record.

    The phase is part of every name: training that continues a network repeats no random number of
    the training before it.
    """
    path = (sweep_seed, seed) if version == 1 else (sweep_seed, seed, phase)
    return {name: child_seed(*path, name) for name in TRIAL_STREAMS}


def stage_seeds(seeds: Mapping[str, int], stage: int) -> dict[str, int]:
    """The seeds of training number `stage` inside a method: each has streams of its own."""
    return {name: child_seed(seed, "stage", stage) for name, seed in seeds.items()}


# Where the seeds of a phase start within a replicate; searches start at 0.
_REPLICATE = 10_000
_RESCORE = 900
_CONFIRM = 1_000


def search_seed(replicate: int, number: int) -> int:
    """The seed of search trial `number`."""
    return _REPLICATE * replicate + number


def rescore_seed(replicate: int, index: int) -> int:
    """The seed of re-score `index` (0 or 1) of each of a study's best configurations."""
    return _REPLICATE * replicate + _RESCORE + index


def confirm_seed(replicate: int, index: int) -> int:
    """The seed of confirm trial `index`, the same for all arms."""
    return _REPLICATE * replicate + _CONFIRM + index
