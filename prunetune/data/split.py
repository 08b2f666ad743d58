"""Which training images are held out for validation: stratified, and decided by a seed alone."""

from __future__ import annotations

import torch
from torch import Tensor

from prunetune.records.seeds import child_seed


def split(labels: Tensor, train_size: int, val_size: int, seed: int) -> tuple[Tensor, Tensor]:
    """Indices of training and validation images, disjoint and each in ascending order.

    All classes lose the same share to validation; of the others, the first `train_size` in the
    seed's order are taken, classes in proportion again.
    """
    generator = torch.Generator().manual_seed(child_seed(seed, "split"))
    order = torch.randperm(len(labels), generator=generator)
    held_out = stratified(labels[order], val_size)
    val, rest = order[held_out], order[~held_out]
    train = rest[stratified(labels[rest], train_size)]
    return train.sort().values, val.sort().values


def stratified(labels: Tensor, count: int) -> Tensor:
    """A mask of `count` labels, the first of each class, classes by largest remainder."""
    sizes = torch.bincount(labels)
    share = sizes.double() * count / len(labels)
    quota = share.floor().long()
    left = count - int(quota.sum())
    quota[(share - quota).sort(descending=True, stable=True).indices[:left]] += 1
    mask = torch.zeros(len(labels), dtype=torch.bool)
    for label, n in enumerate(quota.tolist()):
        mask[(labels == label).nonzero().flatten()[:n]] = True
    return mask
