"""Decides which training images are held out for validation: stratified, from a seed alone."""

from __future__ import annotations

import torch
from torch import Tensor

from prunetune.records.seeds import child_seed


def split(labels: Tensor, train_size: int, val_size: int, seed: int) -> tuple[Tensor, Tensor]:
    """The indices of the training images and of the validation images, disjoint and ascending.

    Every class gives the same share of its images to validation. If `train_size` is less than the
    rest, training takes the first images in the seed's random order, again in equal shares.
    """
    generator = torch.Generator().manual_seed(child_seed(seed, "split"))
    order = torch.randperm(len(labels), generator=generator)
    held_out = stratified_mask(labels[order], val_size)
    val, rest = order[held_out], order[~held_out]
    train = rest[stratified_mask(labels[rest], train_size)]
    return train.sort().values, val.sort().values


def stratified_mask(labels: Tensor, count: int) -> Tensor:
    """A mask that is true for exactly `count` labels: the first ones of each class.

    Each class has its proportional number of them, rounded by the largest-remainder method.
    """
    sizes = torch.bincount(labels)
    exact = sizes.double() * count / len(labels)
    quota = exact.floor().long()
    missing = count - int(quota.sum())
    quota[(exact - quota).sort(descending=True, stable=True).indices[:missing]] += 1
    mask = torch.zeros(len(labels), dtype=torch.bool)
    for label, n in enumerate(quota.tolist()):
        mask[(labels == label).nonzero().flatten()[:n]] = True
    return mask
