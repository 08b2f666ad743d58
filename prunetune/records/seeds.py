"""Named child seeds: one root seed and a name for every use, so that no two share a stream."""

from __future__ import annotations

import hashlib


def child_seed(*names: int | str) -> int:
    """A 63-bit seed from a path of names, e.g. `child_seed(sweep_seed, trial_seed, "order")`.

    The same names give the same seed on any machine; different names give unrelated ones.
    """
    text = "/".join(f"{type(name).__name__}:{name}" for name in names)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


TRIAL_STREAMS = ("init", "order", "augmentation", "ties", "scoring")


def trial_seeds(sweep_seed: int, seed: int) -> dict[str, int]:
    """The named seeds of one trial, as they stand in its record."""
    return {name: child_seed(sweep_seed, seed, name) for name in TRIAL_STREAMS}


REPLICATE = 10_000
RESCORE = 900
CONFIRM = 1_000


def search_seed(replicate: int, number: int) -> int:
    """The seed of search trial `number`."""
    return REPLICATE * replicate + number


def rescore_seed(replicate: int, index: int) -> int:
    """The seed of a study's second look at one of its best (index 0 or 1)."""
    return REPLICATE * replicate + RESCORE + index


def confirm_seed(replicate: int, index: int) -> int:
    """The seed of confirm trial `index`, the same for all arms."""
    return REPLICATE * replicate + CONFIRM + index
