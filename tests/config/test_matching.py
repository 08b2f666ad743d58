from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prunetune.config.matching import (
    MATCHINGS,
    mac_ratio,
    needs_dense_epochs,
    pruned_epochs,
    scratch_epochs,
)

EPOCHS = st.integers(0, 500)
RATIOS = st.fractions(1, 50)


@pytest.mark.parametrize(
    ("ratio", "scratch_e", "rethinking", "scratch_b", "sparsified"),
    [("2.112", 200, 422, 522, 734), ("2.555", 200, 511, 611, 866), ("3.986", 200, 797, 897, 1296)],
)
def test_resnet56_agrees_with_a_calculation_by_hand(
    ratio, scratch_e, rethinking, scratch_b, sparsified
):
    """K1 = 200, K2 = 100, Ks = 0 or 100; 2.112 * 300 + 100 = 733.6, 2.555 * 300 + 100 = 866.5."""

    def epochs(matching, sparsify):
        r = Fraction(ratio)
        return scratch_epochs(matching, r, dense=200, finetune=100, sparsify=sparsify)

    assert epochs("scratch_e", 0) == epochs("scratch_e", 100) == scratch_e
    assert epochs("scratch_b_rethinking", 0) == epochs("scratch_b_rethinking", 100) == rethinking
    assert epochs("scratch_b", 0) == scratch_b
    assert epochs("scratch_b", 100) == sparsified


@given(EPOCHS, EPOCHS, EPOCHS, RATIOS)
def test_scratch_b_spends_what_the_pruned_network_spent(dense, finetune, sparsify, ratio):
    """Training MACs over MACs of the small network: (K1 + Ks) r + K2, to half an epoch."""
    small = scratch_epochs("scratch_b", ratio, dense=dense, finetune=finetune, sparsify=sparsify)
    spent = (dense + sparsify) * ratio + finetune
    assert abs(small - spent) <= Fraction(1, 2)


@given(EPOCHS, EPOCHS, EPOCHS, RATIOS)
def test_a_network_that_does_not_sparsify_trains_for_equal_macs(dense, finetune, sparsify, ratio):
    plain = pruned_epochs(ratio, finetune=finetune, sparsify=sparsify, sparsifies=False)
    own = pruned_epochs(ratio, finetune=finetune, sparsify=sparsify, sparsifies=True)
    assert own == finetune
    assert 0 <= own + sparsify * ratio - plain < 1
    marginal = scratch_epochs("marginal", ratio, dense=None, finetune=finetune, sparsify=sparsify)
    assert marginal == plain


@given(EPOCHS, EPOCHS, EPOCHS)
def test_at_full_size_there_is_nothing_to_match(dense, finetune, sparsify):
    def epochs(matching):
        return scratch_epochs(
            matching, Fraction(1), dense=dense, finetune=finetune, sparsify=sparsify
        )

    assert epochs("scratch_e") == epochs("scratch_b_rethinking") == dense
    assert epochs("scratch_b") == dense + epochs("marginal")


@given(EPOCHS, EPOCHS, EPOCHS, RATIOS, RATIOS, st.sampled_from(MATCHINGS))
def test_smaller_networks_never_train_shorter(dense, finetune, sparsify, r1, r2, matching):
    low, high = sorted((r1, r2))
    few, many = (
        scratch_epochs(matching, r, dense=dense, finetune=finetune, sparsify=sparsify)
        for r in (low, high)
    )
    assert few <= many


@pytest.mark.parametrize("matching", [m for m in MATCHINGS if m != "marginal"])
def test_weights_of_unknown_training_allow_marginal_alone(matching):
    with pytest.raises(ValueError, match="marginal"):
        scratch_epochs(matching, Fraction(2), dense=None, finetune=1, sparsify=0)


@given(EPOCHS, EPOCHS, RATIOS, st.integers(1, 999_999), st.sampled_from([None, 7]))
def test_a_length_of_its_own_depends_on_nothing_else(finetune, sparsify, ratio, length, dense):
    matching = f"epochs={length}"
    epochs = scratch_epochs(matching, ratio, dense=dense, finetune=finetune, sparsify=sparsify)
    assert epochs == length
    assert not needs_dense_epochs(matching)


def test_floors_are_exact():
    """50 * (49 / 49) done in floats would do as well; 3 * (0.1 + 0.2) / 0.3 would not."""
    ratio = mac_ratio(3 * 10**15, 10**15)
    assert scratch_epochs("scratch_b_rethinking", ratio, dense=1, finetune=0, sparsify=0) == 3
    almost = mac_ratio(3 * 10**17 - 1, 10**17)
    assert scratch_epochs("scratch_b_rethinking", almost, dense=1, finetune=0, sparsify=0) == 2


@pytest.mark.parametrize("target", [0, -1, 101])
def test_a_target_above_the_dense_network_is_none(target):
    with pytest.raises(ValueError):
        mac_ratio(100, target)
