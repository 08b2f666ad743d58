"""Vision transformers (Dosovitskiy et al. 2021, 2010.11929; small and tiny: DeiT, 2012.12877).

What may be cut are whole attention heads and hidden units of the MLPs; the embedding, which every
block adds to, stays. A network's MACs are those of its convolution and linear layers, as anywhere
here: the products of queries, keys and values (4 % more in ViT-B/16 at 224 pixels) are not counted.
Modules bear timm's names, so that its files and DeiT's load by their path.
"""

from __future__ import annotations

import re
from typing import Annotated

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from prunetune.config.parts import Params
from prunetune.models.family import OneWidth
from prunetune.models.init import redraw, truncated_normal
from prunetune.models.published import torchvision_classes, torchvision_weights
from prunetune.protocols import Shape
from prunetune.registry import models

MLP = 4
"""Hidden units of an MLP per channel of the embedding."""


class ViTParams(Params):
    """Patches of a vision transformer."""

    patch: Annotated[
        int, Field(ge=1, description="pixels on a patch's side: 16 for ImageNet, 4 for CIFAR")
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
    """Self-attention of as many heads as the width of its first layer makes."""

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
        """A head goes as a whole: its queries, keys, values, and what the projection reads of it.

        Per layer and side the channels of each head.
        """
        channels = self._channels()
        return {
            ("qkv", "out"): channels.transpose(0, 1).flatten(1).tolist(),
            ("proj", "in"): channels[0].tolist(),
        }

    def unit_gates(self) -> dict[str, list[list[int]]]:
        """The values: what a head puts out is linear in them, not so in queries and keys."""
        return {"qkv": self._channels()[2].tolist()}

    def _channels(self) -> Tensor:
        """(queries keys values, heads, head_dim) the first layer's outputs."""
        outputs = torch.arange(self.qkv.out_features, device="cpu")
        return outputs.reshape(3, -1, self.head_dim)


class Mlp(nn.Module):
    """Two linear layers with GELU between."""

    def __init__(self, embed: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(embed, hidden)
        self.fc2 = nn.Linear(hidden, embed)

    def forward(self, x: Tensor) -> Tensor:
        """(N, tokens, embed) -> (N, tokens, embed)."""
        out: Tensor = self.fc2(F.gelu(self.fc1(x)))
        return out


class Block(nn.Module):
    """Attention and MLP, each behind layer norm and beside a shortcut."""

    def __init__(self, embed: int, heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(embed, eps=1e-6)
        self.attn = Attention(embed, heads)
        self.norm2 = nn.LayerNorm(embed, eps=1e-6)
        self.mlp = Mlp(embed, MLP * embed)

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
        self.blocks = nn.Sequential(*(Block(embed, heads) for _ in range(depth)))
        self.norm = nn.LayerNorm(embed, eps=1e-6)
        self.head = nn.Linear(embed, classes)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> logits (N, classes)."""
        x = self.patch_embed(x)
        x = torch.cat((self.cls_token.expand(len(x), -1, -1), x), 1) + self.pos_embed
        logits: Tensor = self.head(self.norm(self.blocks(x))[:, 0])
        return logits


class ViTFamily(OneWidth):
    """Vision transformer for images of any size, prunable by heads and MLP units."""

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
        """timm's: linear layers and positions truncated normal with deviation 0.02."""
        redraw(model, _truncated_linear)
        assert isinstance(model, ViT)
        nn.init.normal_(model.cls_token, std=1e-6)
        nn.init.trunc_normal_(model.pos_embed, std=0.02)

    def published(self, weights: str, *, download: bool = True) -> dict[str, Tensor]:
        """torchvision's weights of that name, where it has the network."""
        if self.name != "vit_b_16":
            return super().published(weights, download=download)
        state = torchvision_weights(self.name, weights, download=download)
        return {our_name(name): tensor for name, tensor in state.items()}

    def published_classes(self, weights: str) -> int:
        """As torchvision states it, where it has the network."""
        if self.name != "vit_b_16":
            return super().published_classes(weights)
        return torchvision_classes(self.name, weights)


def _truncated_linear(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        truncated_normal(module)


RENAMED = {
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
"""torchvision's names, older files' included -> ours."""


def our_name(name: str) -> str:
    """The name of a tensor of torchvision's vision transformer in ours."""
    for theirs, ours in RENAMED.items():
        name = re.sub(theirs, ours, name)
    return name


for _name, _embed, _depth, _heads in (
    ("vit_tiny", 192, 12, 3),
    ("vit_small", 384, 12, 6),
    ("vit_b_16", 768, 12, 12),
):
    models.register(_name, params=ViTParams)(ViTFamily(_name, _embed, _depth, _heads))
