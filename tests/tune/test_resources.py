"""What each trial gets of a cluster, and how many run at a time while it grows and shrinks."""

import pytest

from prunetune.tune.resources import (
    NO_GROWTH,
    TRIALS_PER_GPU,
    GrowthLimit,
    NodeType,
    ResourceError,
    share,
    slots,
)

CPU_2 = {"CPU": 2.0}
GPU_NODE = {"CPU": 16.0, "GPU": 1.0}
HEAD = {"memory": 1e9}
AUTO = {"cpus": 1, "gpus": "auto", "max_concurrent": "auto"}
SPOT = GrowthLimit((NodeType(GPU_NODE, 8), NodeType({"CPU": 4.0}, 100)), most=10)


def room(resources, nodes, growth=NO_GROWTH):
    part = share(resources, nodes, growth)
    return slots(resources.get("max_concurrent", "auto"), part, nodes, growth)


def test_without_a_gpu_trials_fill_the_cpus():
    part = share(AUTO, [CPU_2, CPU_2])
    assert (part.gpus, part.threads, part.device) == (0, 1, "cpu")
    assert room(AUTO, [CPU_2, CPU_2]) == 4


@pytest.mark.parametrize("cpus", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("count", [1, 2, 8])
def test_auto_takes_a_share_that_packs_every_gpu_and_never_more_than_the_cpus_allow(cpus, count):
    node = {"CPU": 16.0, "GPU": float(count)}
    resources = AUTO | {"cpus": cpus}
    part, fit = share(resources, [node]), room(resources, [node])
    assert 0 < part.gpus <= 1
    assert fit <= min(16 // cpus, TRIALS_PER_GPU * count)
    assert fit * part.gpus <= count + 1e-9
    assert fit >= min(16 // cpus, count)
    assert part.device == "auto"


def test_one_trial_at_a_time_gets_the_whole_gpu():
    resources = {"cpus": 1, "gpus": "auto", "max_concurrent": 1}
    assert share(resources, [GPU_NODE]).gpus == 1.0
    assert room(resources, [GPU_NODE]) == 1


def test_a_stated_share_is_kept():
    resources = {"cpus": 1, "gpus": 0.5, "max_concurrent": "auto"}
    assert share(resources, [GPU_NODE, CPU_2]).gpus == 0.5
    assert room(resources, [GPU_NODE, CPU_2]) == 2


def test_no_gpu_wanted_means_none_touched():
    resources = {"cpus": 2, "gpus": 0, "max_concurrent": "auto"}
    part = share(resources, [GPU_NODE])
    assert (part.gpus, part.device, part.threads) == (0, "cpu", 2)
    assert room(resources, [GPU_NODE]) == 8


def test_stated_concurrency_wins_over_what_fits_now():
    assert room({"max_concurrent": 7}, [CPU_2]) == 7


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


def test_slots_follow_the_nodes_up_and_down_and_one_always_waits_for_a_node():
    part = share(AUTO, [CPU_2])
    counts = [slots("auto", part, [CPU_2] * n) for n in (1, 3, 2, 0)]
    assert counts == [2, 6, 4, 1]


def test_a_cluster_that_may_grow_is_asked_for_all_that_it_may_hold():
    part = share(AUTO, [HEAD], SPOT)
    assert part.gpus == 1 / TRIALS_PER_GPU
    assert slots("auto", part, [HEAD], SPOT) == 8 * TRIALS_PER_GPU
    bounded = share({"cpus": 2, "gpus": 0, "max_concurrent": "auto"}, [HEAD], SPOT)
    assert slots("auto", bounded, [HEAD], SPOT) == 8 * 8 + 2 * 2, "10 nodes, the largest first"


def test_nodes_that_joined_by_hand_leave_the_autoscaler_room():
    part = share(AUTO | {"gpus": 0}, [HEAD], SPOT)
    by_hand = [{"CPU": 200.0}]
    assert slots("auto", part, by_hand, SPOT) == 201


def test_a_cluster_that_does_not_say_how_it_grows_is_asked_for_what_the_file_says():
    part = share({"cpus": 2, "gpus": 0.5, "max_concurrent": 6}, [HEAD])
    assert (part.cpus, part.gpus) == (2, 0.5)
    for auto in ("gpus", "max_concurrent"):
        resources = {"cpus": 1, "gpus": 0, "max_concurrent": 2} | {auto: "auto"}
        with pytest.raises(ResourceError, match="does not say which nodes"):
            share(resources, [HEAD])
