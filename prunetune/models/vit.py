"""Vision transformers (Dosovitskiy et al. 2021, 2010.11929; small and tiny: DeiT, 2012.12877).

Pruning removes whole attention heads and hidden channels of the MLPs. The embedding stays, because
every block adds to it. The MACs include the products of queries, keys and values (4 % in ViT-B/16
at 224 pixels), as PyTorch's counter counts them; each head has an equal share of them.
Modules have timm's names, so the files of timm and of DeiT load by their path.
"""

from __future__ import annotations

import re
from typing import Annotated

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from prunetune.config.parts import Params
from prunetune.models.family import FixedFamily
from prunetune.models.init import redraw, truncated_normal
from prunetune.models.published import torchvision_classes, torchvision_weights
from prunetune.protocols import Shape
from prunetune.registry import models

_MLP_RATIO = 4
"""Hidden channels of an MLP per channel of the embedding."""


class ViTParams(Params):
    """Patches of a vision transformer."""

    patch: Annotated[
        int, Field(ge=1, description="side of a patch in pixels: 16 for ImageNet, 4 for CIFAR")
    ] = 16


class PatchEmbed(nn.Module):
    """One token per patch."""

    def __init__(self, channels_in: int, embed: int, patch: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(channels_in, embed, patch, patch)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, H W / patch², embed)."""
        tokens: Tensor = self.proj(x)
        return tokens.flatten(2).transpose(1, 2)


class Attention(nn.Module):
    """Self-attention; the number of heads follows from the width of its first layer."""

    def __init__(self, embed: int, heads: int) -> None:
        super().__init__()
        self.head_dim = embed // heads
        self.qkv = nn.Linear(embed, 3 * embed)
        self.proj = nn.Linear(embed, embed)

    def forward(self, x: Tensor) -> Tensor:
        """(N, tokens, embed) -> (N, tokens, embed)."""
        q, k, v = self.qkv(x).unflatten(2, (3, -1, self.head_dim)).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v)  # (N, heads, tokens, head_dim)
        out: Tensor = self.proj(mixed.transpose(1, 2).flatten(2))
        return out

    def prunable_units(self) -> dict[tuple[str, str], list[list[int]]]:
        """(layer, side) -> the channels of each head on that side of the layer.

        A head is removed whole: its queries, keys and values, and the projection's inputs from it.
        """
        channels = self._channels()
        return {
            ("qkv", "out"): channels.transpose(0, 1).flatten(1).tolist(),
            ("proj", "in"): channels[0].tolist(),
        }

    def unit_gates(self) -> dict[str, list[list[int]]]:
        """The values of each head: its output is linear in them, but not in queries and keys."""
        return {"qkv": self._channels()[2].tolist()}

    def _channels(self) -> Tensor:
        """The output channels of the first layer as (query key value, heads, head_dim)."""
        outputs = torch.arange(self.qkv.out_features, device="cpu")
        return outputs.reshape(3, -1, self.head_dim)


class Mlp(nn.Module):
    """Two linear layers with GELU between them."""

    def __init__(self, embed: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(embed, hidden)
        self.fc2 = nn.Linear(hidden, embed)

    def forward(self, x: Tensor) -> Tensor:
        """(N, tokens, embed) -> (N, tokens, embed)."""
        out: Tensor = self.fc2(F.gelu(self.fc1(x)))
        return out


class TransformerBlock(nn.Module):
    """Attention and MLP, each after a layer norm and beside a shortcut."""

    def __init__(self, embed: int, heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(embed, eps=1e-6)
        self.attn = Attention(embed, heads)
        self.norm2 = nn.LayerNorm(embed, eps=1e-6)
        self.mlp = Mlp(embed, _MLP_RATIO * embed)

    def forward(self, x: Tensor) -> Tensor:
        """(N, tokens, embed) -> (N, tokens, embed)."""
        x = x + self.attn(self.norm1(x))
        out: Tensor = x + self.mlp(self.norm2(x))
        return out


class ViT(nn.Module):
    """Patches and a class token with learned positions, blocks, a linear classifier."""

    def __init__(
        self, embed: int, depth: int, heads: int, patch: int, classes: int, shape: Shape
    ) -> None:
        super().__init__()
        c, h, w = shape
        self.patch_embed = PatchEmbed(c, embed, patch)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, embed))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + (h // patch) * (w // patch), embed))
        self.blocks = nn.Sequential(*(TransformerBlock(embed, heads) for _ in range(depth)))
        self.norm = nn.LayerNorm(embed, eps=1e-6)
        self.head = nn.Linear(embed, classes)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> logits (N, classes)."""
        x = self.patch_embed(x)
        x = torch.cat((self.cls_token.expand(len(x), -1, -1), x), 1) + self.pos_embed
        logits: Tensor = self.head(self.norm(self.blocks(x))[:, 0])
        return logits


class ViTFamily(FixedFamily):
    """Vision transformer for images of any size; heads and MLP channels can be pruned."""

    def __init__(self, name: str, embed: int, depth: int, heads: int) -> None:
        self.name, self.embed, self.depth, self.heads = name, embed, depth, heads

    def build(self, params: ViTParams, classes: int, input_shape: Shape) -> nn.Module:
        """A fresh network; see `Family`."""
        h, w = input_shape[1:]
        if h % params.patch or w % params.patch:
            raise ValueError(
                f"patch: {params.patch} does not divide images of {h} x {w} pixels; "
                "allowed: a common divisor of both"
            )
        return ViT(self.embed, self.depth, self.heads, params.patch, classes, input_shape)

    def initialise(self, model: nn.Module) -> None:
        """As in timm: linear layers and positions truncated normal, standard deviation 0.02."""
        redraw(model, _truncated_linear)
        assert isinstance(model, ViT)
        nn.init.normal_(model.cls_token, std=1e-6)
        nn.init.trunc_normal_(model.pos_embed, std=0.02)

    def published(self, weights: str, *, download: bool = True) -> dict[str, Tensor]:
        """torchvision's weights of that name; torchvision has only ViT-B/16."""
        if self.name != "vit_b_16":
            return super().published(weights, download=download)
        state = torchvision_weights(self.name, weights, download=download)
        return {timm_name(name): tensor for name, tensor in state.items()}

    def published_classes(self, weights: str) -> int:
        """The number that torchvision states for these weights."""
        if self.name != "vit_b_16":
            return super().published_classes(weights)
        return torchvision_classes(self.name, weights)


def _truncated_linear(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        truncated_normal(module)


_TIMM_NAMES = {
    r"^class_token$": "cls_token",
    r"^conv_proj\.": "patch_embed.proj.",
    r"^encoder\.pos_embedding$": "pos_embed",
    r"^encoder\.layers\.encoder_layer_": "blocks.",
    r"^encoder\.ln\.": "norm.",
    r"^heads\.head\.": "head.",
    r"\.ln_([12])\.": r".norm\1.",
    r"\.self_attention\.in_proj_": ".attn.qkv.",
    r"\.self_attention\.out_proj\.": ".attn.proj.",
    r"\.mlp\.(?:linear_1|0)\.": ".mlp.fc1.",
    r"\.mlp\.(?:linear_2|3)\.": ".mlp.fc2.",
}
"""Parts of torchvision's tensor names, in older files too -> timm's, which are ours."""


def timm_name(name: str) -> str:
    """timm's name of a tensor of torchvision's vision transformer."""
    for theirs, ours in _TIMM_NAMES.items():
        name = re.sub(theirs, ours, name)
    return name


for _name, _embed, _depth, _heads in (
    ("vit_tiny", 192, 12, 3),
    ("vit_small", 384, 12, 6),
    ("vit_b_16", 768, 12, 12),
):
    models.register(_name, params=ViTParams)(ViTFamily(_name, _embed, _depth, _heads))
