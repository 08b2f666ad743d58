"""Squares and crosses: a data set as anyone would write it for PyTorch."""

from __future__ import annotations

import torch
from torch.utils.data import Dataset


class Shapes(Dataset):
    """Noisy grey images of squares, crosses and diagonals, 8x8."""

    shape = (1, 8, 8)
    classes = ("square", "cross", "diagonal")
    train_size = 120
    test_size = 30

    def __init__(self, train: bool, noise: float = 0.2) -> None:
        self.noise, self.first = noise, 0 if train else 10_000
        self.size = self.train_size if train else self.test_size

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        label = index % len(self.classes)
        image = torch.zeros(1, 8, 8)
        if label == 0:
            image[:, 2:6, 2:6] = 1
        elif label == 1:
            image[:, 3:5] = image[:, :, 3:5] = 1
        else:
            image[0] = torch.eye(8)
        generator = torch.Generator().manual_seed(self.first + index)
        noise = torch.randn(1, 8, 8, generator=generator)
        return (image + self.noise * noise).clamp(0, 1), label
