"""What each trial gets of a cluster."""

import pytest

from prunetune.tune.resources import TRIALS_PER_GPU, ResourceError, share

CPU_2 = {"CPU": 2.0}
GPU_NODE = {"CPU": 16.0, "GPU": 1.0}


def test_without_a_gpu_trials_fill_the_cpus():
    part = share({"cpus": 1, "gpus": "auto", "max_concurrent": "auto"}, [CPU_2, CPU_2])
    assert (part.gpus, part.slots, part.threads, part.device) == (0, 4, 1, "cpu")


@pytest.mark.parametrize("cpus", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("count", [1, 2, 8])
def test_auto_takes_a_share_that_packs_every_gpu_and_never_more_than_the_cpus_allow(cpus, count):
    node = {"CPU": 16.0, "GPU": float(count)}
    part = share({"cpus": cpus, "gpus": "auto", "max_concurrent": "auto"}, [node])
    assert 0 < part.gpus <= 1
    assert part.slots <= min(16 // cpus, TRIALS_PER_GPU * count)
    assert part.slots * part.gpus <= count + 1e-9
    assert part.slots >= min(16 // cpus, count)
    assert part.device == "auto"


def test_one_trial_at_a_time_gets_the_whole_gpu():
    part = share({"cpus": 1, "gpus": "auto", "max_concurrent": 1}, [GPU_NODE])
    assert (part.gpus, part.slots) == (1.0, 1)


def test_a_stated_share_is_kept():
    part = share({"cpus": 1, "gpus": 0.5, "max_concurrent": "auto"}, [GPU_NODE, CPU_2])
    assert (part.gpus, part.slots) == (0.5, 2)


def test_no_gpu_wanted_means_none_touched():
    part = share({"cpus": 2, "gpus": 0, "max_concurrent": "auto"}, [GPU_NODE])
    assert (part.gpus, part.slots, part.device, part.threads) == (0, 8, "cpu", 2)


def test_stated_concurrency_wins_over_what_fits_now():
    assert share({"max_concurrent": 7}, [CPU_2]).slots == 7


@pytest.mark.parametrize(
    ("resources", "line"),
    [
        ({"gpus": 1}, r"resources\.gpus: 1 per trial.*more than 0;.*0 or auto"),
        ({"gpus": 2}, r"resources\.gpus: 2"),
        ({"cpus": 3}, r"resources\.cpus: 3 per trial.*more than 2;.*2 or less"),
    ],
)
def test_more_than_any_node_has_is_refused_with_the_line_to_change(resources, line):
    with pytest.raises(ResourceError, match=line):
        share(resources, [CPU_2, CPU_2])


def test_a_cluster_that_has_yet_to_grow_is_asked_for_what_the_file_says():
    head = [{"memory": 1e9}]
    part = share({"cpus": 2, "gpus": 0.5, "max_concurrent": 6}, head)
    assert (part.cpus, part.gpus, part.slots) == (2, 0.5, 6)
    for auto in ("gpus", "max_concurrent"):
        resources = {"cpus": 1, "gpus": 0, "max_concurrent": 2} | {auto: "auto"}
        with pytest.raises(ResourceError, match="say how far"):
            share(resources, head)
