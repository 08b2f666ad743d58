from __future__ import annotations

import pytest
import torch

from prunetune.data.split import split, stratified_mask

SIZES = (90, 60, 7, 33)
LABELS = torch.repeat_interleave(torch.arange(len(SIZES)), torch.tensor(SIZES))[
    torch.randperm(sum(SIZES), generator=torch.Generator().manual_seed(1))
]


@pytest.mark.parametrize("val_size", [1, 19, 95, 189])
def test_train_and_val_are_disjoint_and_complete(val_size):
    train, val = split(LABELS, len(LABELS) - val_size, val_size, seed=0)
    assert len(val) == val_size
    assert torch.equal(torch.cat([train, val]).sort().values, torch.arange(len(LABELS)))


@pytest.mark.parametrize("val_size", [19, 95])
@pytest.mark.parametrize("train_size", [5, 50, 95])
def test_both_have_the_shares_of_all_classes(train_size, val_size):
    parts = split(LABELS, train_size, val_size, seed=3)
    for part, size in zip(parts, (train_size, val_size), strict=True):
        assert len(part) == size
        counts = torch.bincount(LABELS[part], minlength=len(SIZES))
        exact = torch.tensor(SIZES) * size / len(LABELS)
        assert (counts - exact).abs().max() < 1.5  # largest remainders, once or twice over


def test_the_seed_alone_decides():
    train, val = split(LABELS, 100, 40, seed=0)
    torch.manual_seed(123)
    again = split(LABELS, 100, 40, seed=0)
    assert torch.equal(train, again[0])
    assert torch.equal(val, again[1])
    assert not torch.equal(val, split(LABELS, 100, 40, seed=1)[1])


def test_a_limit_on_training_leaves_validation_alone_and_takes_a_part():
    train, val = split(LABELS, 150, 40, seed=0)
    fewer, same = split(LABELS, 60, 40, seed=0)
    assert torch.equal(val, same)
    assert set(fewer.tolist()) < set(train.tolist())


@pytest.mark.parametrize("count", [0, 1, 2, 57, len(LABELS)])
def test_stratified_takes_exactly_as_many_and_the_first_of_each_class(count):
    mask = stratified_mask(LABELS, count)
    assert mask.sum() == count
    for label in range(len(SIZES)):
        taken = mask[label == LABELS]
        assert torch.equal(taken, torch.arange(len(taken)) < taken.sum())
