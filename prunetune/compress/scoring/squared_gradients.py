"""E_n[(∂L_n/∂w)²], the diagonal of the empirical Fisher: every image's own gradient, squared.

The gradient of a layer's weights for one image is Σ over positions of δ ⊗ x, the product of what
comes back to the layer and what went into it. Both are there for all images of a chunk after one
backward pass, so that nothing is computed image by image.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from prunetune.compress.criterion import Scene
from prunetune.compress.scoring.passes import passes

AT_ONCE = 2**26
"""Numbers in the largest tensor made for a layer: patches, or gradients per image."""
Use = tuple[Tensor, Tensor]
"""What went into a layer and ∂L/∂output."""


def squared_gradients(
    scene: Scene, criterion: str, images: int, layers: Collection[str], *, sampled: bool = False
) -> dict[str, Tensor]:
    """Per layer E_n[(∂L_n/∂w)²], shaped like its weight, float64 on the CPU.

    With `sampled` the labels are drawn from the network's own softmax, each image's by one number
    of the scene's generator; chunks do not matter.
    """
    draws = torch.rand(images, generator=scene.generator, dtype=torch.float64) if sampled else None
    seen = 0
    with passes(scene, criterion, images, backward=True) as (model, chunks):
        squares = SquaredGradients(model, layers)
        for x, y in chunks:
            logits = model(x.requires_grad_())
            if draws is not None:
                y = sampled_labels(logits.detach(), draws[seen : seen + len(x)])
            torch.autograd.backward(F.cross_entropy(logits, y, reduction="sum"))
            seen += len(x)
    return {name: total.cpu() / seen for name, total in squares.sums.items()}


def sampled_labels(logits: Tensor, draws: Tensor) -> Tensor:
    """A class per row, drawn from its softmax: where the cumulative probabilities pass `draws`."""
    cumulative = logits.double().softmax(1).cumsum(1)
    cumulative = cumulative / cumulative[:, -1:]
    passed = torch.searchsorted(cumulative, draws.to(logits.device)[:, None], right=True)
    return passed.squeeze(1).clamp(max=logits.shape[1] - 1)


class SquaredGradients:
    """Watches layers of a network and sums the squares of each image's gradient of their weights.

    The network is in eval mode and its images want gradients, so that every layer's output does.
    """

    def __init__(self, model: nn.Module, layers: Collection[str]) -> None:
        self.sums: dict[str, Tensor] = {}
        self._waiting: dict[str, int] = {}
        self._uses: dict[str, list[Use]] = {}
        for name in layers:
            layer = model.get_submodule(name)
            assert isinstance(layer.weight, Tensor)
            self.sums[name] = torch.zeros_like(layer.weight, dtype=torch.float64)
            layer.register_forward_hook(partial(self._forward, name))

    def _forward(self, name: str, layer: nn.Module, inputs: Any, output: Tensor) -> None:
        self._waiting[name] = self._waiting.get(name, 0) + 1
        x = inputs[0].detach()
        back = partial(self._backward, name, layer, x, x._version)
        output.register_hook(back)  # type: ignore[no-untyped-call]

    def _backward(self, name: str, layer: nn.Module, x: Tensor, version: int, d: Tensor) -> None:
        """A use of the layer has its gradient; an image's is the sum over all of them."""
        assert x._version == version, f"what goes into {name} is changed in place afterwards"
        self._uses.setdefault(name, []).append((x, d))
        self._waiting[name] -= 1
        if not self._waiting[name]:
            self.sums[name] += squares(layer, self._uses.pop(name)).view_as(self.sums[name])


def squares(layer: nn.Module, uses: Sequence[Use]) -> Tensor:
    """Σ_n of the squared gradients of a layer's weights, flat, from all uses of the layer."""
    (x, d), *more = uses
    if isinstance(layer, nn.Linear) and x.dim() == 2 and not more:
        return (d.square().T @ x.square()).flatten()  # one product per weight: squared apart
    assert isinstance(layer.weight, Tensor)
    largest = max(layer.weight.numel(), *(_patch_numbers(layer, x, d) for x, d in uses))
    each = max(1, AT_ONCE // largest)
    parts = zip(*(torch.split(tensor, each) for use in uses for tensor in use), strict=True)
    total = torch.zeros(layer.weight.numel(), dtype=x.dtype, device=x.device)
    for part in parts:
        pairs = zip(part[::2], part[1::2], strict=True)
        first, *rest = (image_gradients(layer, x, d) for x, d in pairs)
        for gradient in rest:
            first += gradient
        total += first.square_().sum(0)
    return total


def image_gradients(layer: nn.Module, x: Tensor, d: Tensor) -> Tensor:
    """(images, weights): each image's gradient of a layer's weights, flat; d is ∂L/∂output."""
    if isinstance(layer, nn.Linear):
        d, x = (t.reshape(len(t), -1, t.shape[-1]) for t in (d, x))
        return (d.transpose(1, 2) @ x).flatten(1)
    if isinstance(layer, nn.LayerNorm):
        return (d * F.layer_norm(x, layer.normalized_shape, eps=layer.eps)).flatten(1, -2).sum(1)
    if isinstance(layer, _BatchNorm):
        even = F.batch_norm(x, layer.running_mean, layer.running_var, eps=layer.eps)
        return (d * even).flatten(2).sum(2)
    assert isinstance(layer, nn.Conv2d)
    mode = "constant" if layer.padding_mode == "zeros" else layer.padding_mode
    padded = F.pad(x, layer._reversed_padding_repeated_twice, mode)
    patches = F.unfold(padded, layer.kernel_size, layer.dilation, 0, layer.stride)
    inner, outer = (torch.unflatten(t, 1, (layer.groups, -1)) for t in (patches, d.flatten(2)))
    return (outer @ inner.transpose(2, 3)).flatten(1)


def _patch_numbers(layer: nn.Module, x: Tensor, d: Tensor) -> int:
    """Numbers per image in the patches that a convolution reads; in what another layer does."""
    if not isinstance(layer, nn.Conv2d):
        return x[0].numel()
    return x.shape[1] * math.prod(layer.kernel_size) * d[0, 0].numel()
