from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from prunetune.compress.graph.traced import traced_groups
from prunetune.compress.proof.proved_groups import find_groups

SHAPE = (3, 6, 6)


class Joined(nn.Module):
    """Channels of one layer that meet each other, in a way of their own."""

    def __init__(self, way: str) -> None:
        super().__init__()
        self.way = way
        self.wide, self.norm = nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.next = nn.Conv2d({"halves": 4, "neighbours": 7, "twice": 16}[way], 6, 1)
        self.head = nn.Linear(6, 2)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(self.wide(x))
        if self.way == "halves":
            a, b = y.chunk(2, 1)
            y = a * torch.sigmoid(b)
        elif self.way == "neighbours":
            y = y[:, 1:] - y[:, :-1]
        else:
            y = torch.cat([y, y.relu()], 1)
        logits: Tensor = self.head(self.next(y).mean((2, 3)))
        return logits


def test_channels_that_meet_are_one_unit() -> None:
    model = Joined("halves")
    wide, _ = find_groups(model, SHAPE, [model.head])
    index = {member.layer: member.index.tolist() for member in wide.members}
    assert index["wide"] == index["norm"] == [[0, 4], [1, 5], [2, 6], [3, 7]]
    assert index["next"] == [[0], [1], [2], [3]]


def test_a_channel_that_is_read_twice_is_one_unit() -> None:
    model = Joined("twice")
    wide, _ = find_groups(model, SHAPE, [model.head])
    assert wide.members[-1].index.tolist() == [[i, 8 + i] for i in range(8)]


def test_a_walk_that_goes_round_in_circles_ends() -> None:
    """torch-pruning's own walk shifts the channels by one, each time in another order, for ever."""
    model = Joined("neighbours")
    found = traced_groups(model, SHAPE, [model.head])
    assert "next" in [group.name for group in found.groups]
    assert "next" in [group.name for group in find_groups(model, SHAPE, [model.head])]
    for group in found.groups:
        assert all(np.unique(m.index).size == m.index.size for m in group.members)
