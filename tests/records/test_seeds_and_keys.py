"""No two uses share a seed, and a key depends on what is computed and on nothing else."""

import pytest

from prunetune.config.file.model import MOST_TRIALS
from prunetune.records.key import canonical, digest, trial_key
from prunetune.records.record import PHASES, TrialSpec
from prunetune.records.seeds import (
    TRIAL_STREAMS,
    child_seed,
    confirm_seed,
    rescore_seed,
    search_seed,
    stage_seeds,
    trial_seeds,
)


def test_no_two_streams_of_a_sweep_share_a_seed():
    seeds = [
        s for phase in PHASES for seed in range(200) for s in trial_seeds(0, seed, phase).values()
    ]
    assert len(set(seeds)) == len(seeds) == 200 * len(PHASES) * len(TRIAL_STREAMS)
    assert all(0 <= s < 2**63 for s in seeds)


def test_every_training_inside_a_method_has_streams_of_its_own():
    own = trial_seeds(0, 3, "search")
    seeds = [s for stage in range(5) for s in stage_seeds(own, stage).values()]
    assert len({*seeds, *own.values()}) == 6 * len(TRIAL_STREAMS)


def test_a_trial_dealt_before_streams_bore_their_phase_keeps_its_streams():
    """Its checkpoint, or its dense network that must be trained again, depends on them."""
    former = {name: child_seed(0, 1000, name) for name in TRIAL_STREAMS}
    for phase in PHASES:
        assert trial_seeds(0, 1000, phase, version=1) == former
    assert TrialSpec.model_fields["stream_version"].default == 1


def test_other_paths_of_names_give_other_seeds_though_their_texts_agree():
    assert child_seed("a", "bc") != child_seed("ab", "c")
    assert child_seed(1, "x") != child_seed("1", "x")


def test_phases_and_replicates_share_no_seed():
    seeds = [
        f(replicate, i)
        for replicate in range(3)
        for f, n in ((search_seed, MOST_TRIALS), (rescore_seed, 2), (confirm_seed, 100))
        for i in range(n)
    ]
    assert len(set(seeds)) == len(seeds)


def test_a_key_depends_neither_on_order_nor_on_fields_that_are_none():
    assert trial_key(a=1, b={"x": 1, "y": 2}) == trial_key(b={"y": 2, "x": 1}, a=1)
    assert trial_key(a=1, b=None) == trial_key(a=1)
    assert trial_key(a=1) != trial_key(a=2) != trial_key(b=1)
    assert trial_key(a=0) != trial_key()


def test_the_digest_never_changes():
    """Keys of records on disk depend on it: a change here orphans them all."""
    assert canonical({"b": [1, 2.5], "a": None}) == '{"a":null,"b":[1,2.5]}'
    assert digest({"a": 1}) == "015abd7f5cc57a2d"
    with pytest.raises(ValueError):
        digest(float("nan"))
