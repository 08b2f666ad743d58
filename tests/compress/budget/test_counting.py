"""Every kind of layer that PyTorch's counter knows is counted as it counts, before any cut."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from prunetune.compress.budget.costs import CostTable, count_macs
from prunetune.compress.budget.counting import count_by_module
from prunetune.compress.graph.traced import traced_groups
from prunetune.compress.network.cut import cut
from prunetune.compress.network.rebuild import family_network
from prunetune.compress.proof.proved_groups import find_groups
from tests.compress.nets import architecture


class Applied(nn.Module):
    """A function of named layers and an image."""

    def __init__(self, function: Callable[[Any, Tensor], Any], **layers: nn.Module) -> None:
        super().__init__()
        self.function = function
        self.scale = nn.Parameter(torch.ones(1))  # a network has parameters
        for name, layer in layers.items():
            self.add_module(name, layer)

    def forward(self, x: Tensor) -> Any:
        return self.function(self, x)


def counted(model: nn.Module, shape: tuple[int, ...]) -> int:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model.eval()(torch.zeros(1, *shape))
    return counter.get_total_flops() // 2


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_convolutions(data: st.DataObject) -> None:
    axes, transposed = data.draw(st.integers(1, 3)), data.draw(st.booleans())
    groups, a, b = (data.draw(st.integers(1, 3)) for _ in range(3))
    kernel = tuple(data.draw(st.integers(1, 3)) for _ in range(axes))
    stride, dilation = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 2))
    more: dict[str, Any] = {"padding": data.draw(st.integers(0, 1))}
    if transposed:
        more["output_padding"] = data.draw(st.integers(0, max(stride, dilation) - 1))
    elif stride == 1 and data.draw(st.booleans()):
        more = {"padding": "same"}
    if not transposed:
        more["padding_mode"] = data.draw(st.sampled_from(["zeros", "circular"]))
    kind = getattr(nn, f"Conv{'Transpose' if transposed else ''}{axes}d")
    layer = kind(
        groups * a, groups * b, kernel, stride, groups=groups, dilation=dilation,
        bias=data.draw(st.booleans()), **more,
    )  # fmt: skip
    shape = (groups * a, *range(6, 6 + axes))
    assert count_macs(layer, shape) == counted(layer, shape) > 0
    assert count_by_module(layer, shape).products == {}


@settings(max_examples=20, deadline=None)
@given(leading=st.lists(st.integers(1, 4), max_size=3), bias=st.booleans())
def test_linear_layers_over_any_leading_dimensions(leading: list[int], bias: bool) -> None:
    layer, shape = nn.Linear(4, 6, bias=bias), (*leading, 4)
    assert count_macs(layer, shape) == counted(layer, shape) > 0


def windows(m: Any, x: Tensor) -> Tensor:
    """Attention within windows: the windows stand in the batch dimension."""
    return m.fc(x.reshape(8, 8, 4).transpose(1, 2).reshape(-1, 8))


def attention(m: Any, x: Tensor) -> Tensor:
    q, k, v = m.qkv(x.flatten(2).transpose(1, 2)).unflatten(2, (3, 2, 4)).permute(2, 0, 3, 1, 4)
    return (q @ k.transpose(-2, -1)).softmax(-1) @ v


KINDS: dict[str, nn.Module] = {
    "twice": Applied(lambda m, x: m.conv(m.conv(x)), conv=nn.Conv2d(4, 4, 3)),
    "never": Applied(lambda m, x: m.conv(x), conv=nn.Conv2d(4, 4, 3), other=nn.Conv2d(4, 4, 3)),
    "unbatched": Applied(lambda m, x: m.conv(x[0]), conv=nn.Conv2d(4, 5, 3)),
    "patches in the batch": Applied(windows, fc=nn.Linear(8, 6)),
    "keyword": Applied(lambda m, x: m.up(input=x), up=nn.ConvTranspose2d(4, 3, 2, 2)),
    "weight norm": nn.utils.parametrizations.weight_norm(nn.Conv2d(4, 5, 3)),
    "its weight alone": Applied(
        lambda m, x: F.conv2d(x, m.conv.weight, stride=2), conv=nn.Conv2d(4, 5, 3)
    ),
    "tied, and transposed": Applied(
        lambda m, x: F.conv_transpose2d(m.conv(x), m.conv.weight), conv=nn.Conv2d(4, 5, 3)
    ),
    "functional": Applied(lambda m, x: F.conv2d(x, m.w.weight[:2]), w=nn.Conv2d(4, 5, 3)),
    "functional linear": Applied(lambda m, x: F.linear(x, weight=torch.ones(3, 8))),
    "einsum": Applied(lambda m, x: torch.einsum("nchw,ndhw->ncd", x, x)),
    "matmul": Applied(attention, qkv=nn.Linear(4, 24)),
    "bmm": Applied(lambda m, x: torch.bmm(x[0], x[0])),
    "attention": Applied(lambda m, x: F.scaled_dot_product_attention(x, x, x)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_uses_of_layers_and_products_outside_them(kind: str) -> None:
    model = KINDS[kind]
    assert count_macs(model, (4, 8, 8)) == counted(model, (4, 8, 8)) > 0
    assert count_by_module(model, (4, 8, 8)).uncounted == {}


def test_layers_that_share_one_weight_keep_their_names() -> None:
    model = nn.Sequential(nn.Conv2d(4, 4, 3), nn.Conv2d(4, 4, 3))
    model[1].weight = model[0].weight
    assert count_by_module(model, (4, 8, 8)).layers == {"0": 9 * 36, "1": 9 * 16}


def test_multi_head_attention_is_counted_although_its_fast_path_is_not() -> None:
    model = Applied(
        lambda m, x: m.attn(x, x, x)[0], attn=nn.MultiheadAttention(8, 2, batch_first=True)
    )
    assert count_by_module(model, (5, 8)).products == {"attn": 4 * 5 * 8 * 8 + 2 * 5 * 5 * 8}


@pytest.mark.parametrize(
    ("model", "shape", "named"),
    [
        (nn.Sequential(nn.Linear(4, 4), nn.LSTM(4, 3)), (5, 4), {"1": {"lstm"}}),
        (Applied(lambda m, x: m.b(x, x), b=nn.Bilinear(4, 4, 2)), (4,), {"b": {"bilinear"}}),
        (
            Applied(lambda m, x: m.fc(x + m.place(torch.arange(5))),
                    fc=nn.Linear(4, 4), place=nn.Embedding(5, 4)),
            (5, 4),
            {"place": {"embedding"}},
        ),
    ],
)  # fmt: skip
def test_what_neither_counts_is_named(
    model: nn.Module, shape: tuple[int, ...], named: dict[str, set[str]]
) -> None:
    assert count_by_module(model, shape).uncounted == named
    assert count_macs(model, shape) == counted(model, shape)


def test_heads_take_the_products_of_attention_with_them() -> None:
    network = architecture("vit_tiny", patch=4)
    model = family_network(network)
    groups = find_groups(model, network.input_shape, [model.head])  # type: ignore[list-item]
    costs = CostTable.measure(model, network.input_shape, groups)
    for heads in range(1, 3):
        removed = [range(heads if group.width == 3 else 100) for group in groups]
        narrow = cut(model, groups, removed)
        widths = [g.width - len(units) for g, units in zip(groups, removed, strict=True)]
        expected = counted(narrow, network.input_shape)
        assert costs.macs(widths) == count_macs(narrow, network.input_shape) == expected


class Gram(nn.Module):
    """Products of channels by channels, beside convolutions that can be cut."""

    def __init__(self, squared: bool) -> None:
        super().__init__()
        self.squared = squared
        self.a, self.b = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 6, 1)
        self.head = nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        y = self.a(x)
        flat = y.detach().flatten(2)
        gram = flat @ flat.transpose(1, 2) if self.squared else flat.transpose(1, 2) @ flat
        out: Tensor = self.head((self.b(y) + gram.mean()).mean((2, 3)))
        return out


def test_products_that_no_module_declares_are_measured_or_refused() -> None:
    for squared in (False, True):
        model = Gram(squared)
        proved = find_groups(model, (3, 8, 8), [model.head])
        assert [group.name for group in proved] == ["b"]  # the mean reads the channels of a
        groups = traced_groups(model, (3, 8, 8), [model.head]).groups
        assert [group.name for group in groups] == ["a", "b"]
        if squared:
            with pytest.raises(ValueError, match="do not grow by a fixed amount"):
                CostTable.measure(model, (3, 8, 8), groups)
            continue
        costs = CostTable.measure(model, (3, 8, 8), groups)
        narrow = cut(model, groups, [[0, 3, 4], [1]])
        assert costs.macs([5, 5]) == counted(narrow, (3, 8, 8))
