"""The cutting of a stream into batches: nothing lost, nothing in another order, no lonely image."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from prunetune.batches import in_batches


def portions_of(x: Tensor, draw: random.Random) -> Iterator[tuple[Tensor, Tensor]]:
    """`x` twice, in portions of random sizes, some of them of one row."""
    while len(x):
        size = draw.choice([1, 2, 3, 7, draw.randint(1, len(x))])
        yield x[:size], x[:size]
        x = x[size:]


@pytest.mark.parametrize("seed", range(60))
def test_batches_do_not_depend_on_the_portions(seed: int) -> None:
    draw = random.Random(seed)
    rows, size = draw.randint(1, 40), draw.randint(1, 9)
    x = torch.arange(rows)
    batches = list(in_batches(portions_of(x, draw), size))
    assert torch.equal(torch.cat([a for a, _ in batches]), x)
    assert all(torch.equal(a, b) for a, b in batches)
    sizes = [len(a) for a, _ in batches]
    whole, rest = divmod(rows, size)
    expected = [size] * whole + ([rest] if rest else [])
    if rest == 1 and whole:
        expected = [*expected[:-2], size + 1]
    assert sizes == expected


def test_a_portion_that_is_a_batch_is_handed_on_as_it_is() -> None:
    portions = [(torch.zeros(4, 1, 2, 2),) for _ in range(3)]
    assert all(a is b for a, b in zip(in_batches(portions, 4), portions, strict=True))


def test_no_rows_make_no_batches() -> None:
    assert list(in_batches([], 3)) == []
