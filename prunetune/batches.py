"""Cuts a stream of images into batches, so that no statistic depends on how the images came."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeAlias

import torch
from torch import Tensor

Portion: TypeAlias = tuple[Tensor, ...]
"""Tensors of as many rows each: images, or images and their labels."""


def in_batches(portions: Iterable[Portion], size: int) -> Iterator[Portion]:
    """The same rows in batches of `size`; the last batch has the rows that remain.

    A single row that remains joins the batch before it: batch norm cannot normalise one image whose
    map is 1x1. Only if there is no other row does it come alone, or if `size` is 1.
    """
    waiting: list[Portion] = []
    enough = size + 2 if size > 1 else size  # to give away `size` rows and never leave a single one
    for portion in portions:
        waiting.append(portion)
        while _rows(waiting) >= enough:
            yield _take(waiting, size)
    if rows := _rows(waiting):
        yield _take(waiting, rows)


def _rows(portions: Iterable[Portion]) -> int:
    return sum(len(portion[0]) for portion in portions)


def _take(waiting: list[Portion], rows: int) -> Portion:
    """The first `rows` rows, which leave the list. A whole portion is handed on as it is."""
    taken: list[Portion] = []
    while rows:
        portion = waiting.pop(0)
        if len(portion[0]) > rows:
            waiting.insert(0, tuple(tensor[rows:] for tensor in portion))
            portion = tuple(tensor[:rows] for tensor in portion)
        rows -= len(portion[0])
        taken.append(portion)
    if len(taken) == 1:
        return taken[0]
    return tuple(torch.cat(tensors) for tensors in zip(*taken, strict=True))
