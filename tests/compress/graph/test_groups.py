from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from prunetune.compress.network.cut import cut
from prunetune.compress.proof.proved_groups import find_groups, prunable_groups
from tests.compress.nets import architecture, trained


def test_resnet_has_one_group_per_block_and_one_per_stage() -> None:
    network = architecture("resnet20")
    groups = prunable_groups(trained(network), network)
    inner = [g for g in groups if len(g.members) == 3]  # conv1, bn1, conv2
    stream = [g for g in groups if len(g.members) > 3]
    assert len(inner) == 9
    assert [g.width for g in stream] == [16, 32, 64]
    assert stream[0].name == "conv1"


def test_option_a_keeps_the_residual_stream_whole() -> None:
    network = architecture("resnet20", shortcut="A")
    groups = prunable_groups(trained(network), network)
    assert [g.name for g in groups] == [f"layer{s}.{b}.conv1" for s in (1, 2, 3) for b in range(3)]


def test_flattening_gives_a_unit_one_input_per_position() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4 * 36, 5))
    (group,) = find_groups(model, (3, 8, 8), [model[2]])
    reader = next(m for m in group.members if m.side == "in")
    assert reader.index.shape == (4, 36)
    assert sorted(reader.index.ravel()) == list(range(144))


def test_concatenation_gives_an_offset() -> None:
    class Fork(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.left, self.right = nn.Conv2d(3, 4, 1), nn.Conv2d(3, 6, 1)
            self.join = nn.Conv2d(10, 2, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            joined: torch.Tensor = self.join(torch.cat([self.left(x), self.right(x)], 1))
            return joined.flatten(1)

    model = Fork()
    left, right = find_groups(model, (3, 4, 4), [model.join])
    assert left.members[-1].index.ravel().tolist() == [0, 1, 2, 3]
    assert right.members[-1].index.ravel().tolist() == [4, 5, 6, 7, 8, 9]


def test_grouped_convolutions_lose_one_channel_of_every_group() -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 1), nn.Conv2d(8, 8, 3, groups=4), nn.Conv2d(8, 2, 1))
    first, second = find_groups(model, (3, 8, 8), [model[2]])
    assert first.width == second.width == 2
    assert first.channels([0]) == [0, 2, 4, 6]


def test_a_group_with_a_layer_that_cannot_be_cut_stays_whole() -> None:
    model = nn.Sequential(
        nn.Conv2d(3, 8, 1), nn.GroupNorm(2, 8), nn.Conv2d(8, 6, 1), nn.Conv2d(6, 2, 1)
    )
    assert [g.name for g in find_groups(model, (3, 4, 4), [model[3]])] == ["2"]


def test_heads_are_removed_as_a_whole_and_the_embedding_stays() -> None:
    network = architecture("vit_tiny", patch=16)
    groups = prunable_groups(trained(network), network)
    heads, hidden = groups[::2], groups[1::2]
    assert [g.name for g in heads] == [f"blocks.{i}.attn.qkv" for i in range(12)]
    assert [g.name for g in hidden] == [f"blocks.{i}.mlp.fc1" for i in range(12)]
    queries_keys_values, read = heads[0].members
    assert (read.layer, read.side) == ("blocks.0.attn.proj", "in")
    of_head_1 = np.arange(64, 128)
    assert read.index[1].tolist() == of_head_1.tolist()
    assert queries_keys_values.index[1].tolist() == [*of_head_1, *of_head_1 + 192, *of_head_1 + 384]
    (gate,) = heads[0].gates
    assert gate.index[1].tolist() == (of_head_1 + 384).tolist()


def test_a_declared_group_with_an_ignored_layer_stays_whole() -> None:
    network = architecture("vit_tiny", patch=16)
    model = trained(network)
    ignored = [model.get_submodule("head"), model.get_submodule("blocks.3.attn.qkv")]
    names = {group.name for group in find_groups(model, network.input_shape, ignored)}
    assert "blocks.3.attn.qkv" not in names
    assert len(names) == 23


def test_networks_whose_channels_are_shuffled_are_refused() -> None:
    network = architecture("shufflenet_v2_x1_0", 64)
    with pytest.raises(ValueError, match="cannot be traced"):
        prunable_groups(trained(network), network)


def test_the_dense_network_is_not_changed() -> None:
    network = architecture("resnet14")
    model = trained(network).train()
    model.get_submodule("layer1").eval()
    model.get_submodule("conv1").requires_grad_(False)
    calls: list[int] = []
    model.register_forward_hook(lambda *_: calls.append(1))
    model(torch.ones(2, 3, 32, 32)).sum().backward()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    grads = [None if p.grad is None else p.grad.clone() for p in model.parameters()]
    modes = [layer.training for layer in model.modules()]

    groups = prunable_groups(model, network)
    narrow = cut(model, groups, [(0,)] * len(groups))

    assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())
    for parameter, grad in zip(model.parameters(), grads, strict=True):
        assert (parameter.grad is None) == (grad is None)
        assert grad is None or torch.equal(parameter.grad, grad)
    assert [layer.training for layer in model.modules()] == modes
    assert [len(layer._forward_hooks) for layer in model.modules()][:2] == [1, 0]
    assert [layer.training for layer in narrow.modules()] == modes
    assert [p.requires_grad for p in narrow.parameters()] == [
        p.requires_grad for p in model.parameters()
    ]
    assert all(p.grad is None for p in narrow.parameters())
    shared = {p.data_ptr() for p in model.parameters()} & {
        p.data_ptr() for p in narrow.parameters()
    }
    assert not shared
