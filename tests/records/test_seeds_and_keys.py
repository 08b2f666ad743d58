"""Seeds do not share streams, and a key names what is computed and nothing else."""

import pytest

from prunetune.config.file.model import MOST_TRIALS
from prunetune.records.key import canonical, digest, trial_key
from prunetune.records.seeds import (
    TRIAL_STREAMS,
    child_seed,
    confirm_seed,
    rescore_seed,
    search_seed,
    trial_seeds,
)


def test_no_two_streams_of_a_sweep_share_a_seed():
    seeds = [s for seed in range(200) for s in trial_seeds(0, seed).values()]
    assert len(set(seeds)) == len(seeds) == 200 * len(TRIAL_STREAMS)
    assert all(0 <= s < 2**63 for s in seeds)


def test_names_are_told_apart_however_they_are_cut():
    assert child_seed("a", "bc") != child_seed("ab", "c")
    assert child_seed(1, "x") != child_seed("1", "x")


def test_phases_and_replicates_never_meet():
    found = [
        f(replicate, i)
        for replicate in range(3)
        for f, n in ((search_seed, MOST_TRIALS), (rescore_seed, 2), (confirm_seed, 100))
        for i in range(n)
    ]
    assert len(set(found)) == len(found)


def test_a_key_does_not_depend_on_order_and_none_does_not_count():
    assert trial_key(a=1, b={"x": 1, "y": 2}) == trial_key(b={"y": 2, "x": 1}, a=1)
    assert trial_key(a=1, b=None) == trial_key(a=1)
    assert trial_key(a=1) != trial_key(a=2) != trial_key(b=1)
    assert trial_key(a=0) != trial_key()


def test_the_digest_is_what_it_always_was():
    """Keys of records on disk depend on it: a change here orphans them all."""
    assert canonical({"b": [1, 2.5], "a": None}) == '{"a":null,"b":[1,2.5]}'
    assert digest({"a": 1}) == "015abd7f5cc57a2d"
    with pytest.raises(ValueError):
        digest(float("nan"))
