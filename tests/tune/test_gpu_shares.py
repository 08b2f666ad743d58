"""Shares of a GPU follow the memory that trials use."""

import pytest

from prunetune.tune.gpu_shares import GpuShares
from prunetune.tune.resources import TrialShare

GB = 10**9
QUARTER = TrialShare(cpus=4, gpus=0.25)


@pytest.mark.parametrize(
    ("peak", "share"),
    [(0.1, 0.25), (4, 0.25), (6, 1 / 3), (10, 0.5), (12, 1.0), (100, 1.0)],
)
def test_a_share_has_room_for_what_was_measured(peak, share):
    shares = GpuShares(QUARTER, fixed=False)
    shares.observe("a", {"peak_memory_bytes": int(peak * GB)}, 24 * GB + 6 * GB)
    assert shares.of("a") == pytest.approx(share, abs=1e-4)


def test_studies_differ_and_an_unknown_one_counts_as_the_largest():
    shares = GpuShares(QUARTER, fixed=False)
    assert shares.of("a") == 0.25
    shares.observe("a", {"peak_memory_bytes": 1 * GB}, 24 * GB)
    shares.observe(None, {"peak_memory_bytes": 9 * GB}, 24 * GB)
    assert (shares.of("a"), shares.of(None), shares.of("b")) == (0.25, 0.5, 0.5)
    assert shares.largest() == TrialShare(4, 0.5)


def test_the_smallest_gpu_and_the_highest_peak_count():
    shares = GpuShares(QUARTER, fixed=False)
    for peak, size in ((9, 80), (1, 24), (9, 40)):
        shares.observe("a", {"peak_memory_bytes": peak * GB}, size * GB)
    assert shares.of("a") == 0.5


def test_what_the_file_states_is_kept_and_cpus_are_no_gpu():
    fixed = GpuShares(QUARTER, fixed=True)
    fixed.observe("a", {"peak_memory_bytes": 20 * GB}, 24 * GB)
    assert (fixed.of("a"), fixed.largest()) == (0.25, QUARTER)
    without = GpuShares(TrialShare(cpus=1, gpus=0.0), fixed=False)
    without.observe("a", {"peak_memory_bytes": 20 * GB}, None)
    assert (without.of("a"), without.largest().gpus) == (0.0, 0.0)
