"""E_n[(∂L_n/∂w)²], the diagonal of the empirical Fisher: each image's own gradient, squared.

For one image, the gradient of a layer's weights is Σ over positions of δ ⊗ x, with δ the gradient
of the layer's output and x its input. One backward pass gives δ and x for all images of a chunk, so
no pass is made for a single image.
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
from torch.nn.modules.conv import _ConvNd

from prunetune.compress.criterion import Scene
from prunetune.compress.scoring.passes import passes
from prunetune.compress.scoring.positions import padded

_PATCH_ELEMENTS_AT_ONCE = 2**26
"""Most elements of the largest tensor made for a layer: its patches, or its gradients per image."""
Use = tuple[Tensor, Tensor]
"""One use of a layer in a forward pass: its input, and ∂L/∂output."""


def squared_gradients(
    scene: Scene, criterion: str, images: int, layers: Collection[str], *, sampled: bool = False
) -> dict[str, Tensor]:
    """Per layer E_n[(∂L_n/∂w)²], shaped like its weight, float64 on the CPU.

    With `sampled`, the labels are drawn from the network's own softmax, with one number of the
    scene's generator per image; how the images are cut into chunks makes no difference.
    """
    draws = torch.rand(images, generator=scene.generator, dtype=torch.float64) if sampled else None
    passed = 0
    with passes(scene, criterion, images, backward=True) as (model, chunks):
        squares = SquaredGradients(model, layers)
        for x, y in chunks:
            logits = model(x.requires_grad_())
            if draws is not None:
                y = sampled_labels(logits.detach(), draws[passed : passed + len(x)])
            torch.autograd.backward(F.cross_entropy(logits, y, reduction="sum"))
            passed += len(x)
    return {name: total.cpu() / passed for name, total in squares.sums.items()}


def sampled_labels(logits: Tensor, draws: Tensor) -> Tensor:
    """One class per row, drawn from its softmax: the first whose cumulative probability passes the
    row's number in `draws`."""
    cumulative = logits.double().softmax(1).cumsum(1)
    cumulative = cumulative / cumulative[:, -1:]
    passed = torch.searchsorted(cumulative, draws.to(logits.device)[:, None], right=True)
    return passed.squeeze(1).clamp(max=logits.shape[1] - 1)


class SquaredGradients:
    """Sums, for some layers of a network, the squares of each image's gradient of their weights.

    The network is in eval mode. The images must require gradients, so that every layer's output
    does.
    """

    def __init__(self, model: nn.Module, layers: Collection[str]) -> None:
        self.sums: dict[str, Tensor] = {}
        """Layer -> Σ_n of the squares, float64, shaped like its weight."""
        self._pending: dict[str, int] = {}
        """Layer -> how many of its uses still wait for their gradient."""
        self._uses: dict[str, list[Use]] = {}
        for name in layers:
            layer = model.get_submodule(name)
            assert isinstance(layer.weight, Tensor)
            self.sums[name] = torch.zeros_like(layer.weight, dtype=torch.float64)
            layer.register_forward_hook(partial(self._forward, name))

    def _forward(self, name: str, layer: nn.Module, inputs: Any, output: Tensor) -> None:
        self._pending[name] = self._pending.get(name, 0) + 1
        x = inputs[0].detach()
        back = partial(self._backward, name, layer, x, x._version)
        output.register_hook(back)  # type: ignore[no-untyped-call]

    def _backward(self, name: str, layer: nn.Module, x: Tensor, version: int, d: Tensor) -> None:
        """Keep the gradient of one use; after the last use, add the squares of all uses' sum."""
        assert x._version == version, f"the input of {name} is changed in place after its use"
        self._uses.setdefault(name, []).append((x, d))
        self._pending[name] -= 1
        if not self._pending[name]:
            self.sums[name] += squares(layer, self._uses.pop(name)).view_as(self.sums[name])


def squares(layer: nn.Module, uses: Sequence[Use]) -> Tensor:
    """Σ_n of the squared gradients of a layer's weights, flat, from all uses of the layer."""
    (x, d), *other_uses = uses
    if isinstance(layer, nn.Linear) and x.dim() == 2 and not other_uses:
        return (d.square().T @ x.square()).flatten()  # (δ x)² = δ² x²: no gradients are formed
    assert isinstance(layer.weight, Tensor)
    largest = max(layer.weight.numel(), *(_patch_elements(layer, x, d) for x, d in uses))
    size = max(1, _PATCH_ELEMENTS_AT_ONCE // largest)
    parts = zip(*(torch.split(tensor, size) for use in uses for tensor in use), strict=True)
    total = torch.zeros(layer.weight.numel(), dtype=x.dtype, device=x.device)
    for part in parts:
        pairs = zip(part[::2], part[1::2], strict=True)
        first, *rest = (image_gradients(layer, x, d) for x, d in pairs)
        for gradient in rest:
            first += gradient
        total += first.square_().sum(0)
    return total


def image_gradients(layer: nn.Module, x: Tensor, d: Tensor) -> Tensor:
    """(images, weights) each image's gradient of a layer's weights, flat; `d` is ∂L/∂output."""
    if isinstance(layer, nn.Linear):
        d, x = (t.reshape(len(t), -1, t.shape[-1]) for t in (d, x))
        return (d.transpose(1, 2) @ x).flatten(1)
    if isinstance(layer, nn.LayerNorm):
        return (d * F.layer_norm(x, layer.normalized_shape, eps=layer.eps)).flatten(1, -2).sum(1)
    if isinstance(layer, _BatchNorm):
        standardised = F.batch_norm(x, layer.running_mean, layer.running_var, eps=layer.eps)
        return (d * standardised).flatten(2).sum(2)
    assert isinstance(layer, _ConvNd)
    if not isinstance(layer, nn.Conv2d):
        return _convolution_gradients(layer, x, d)
    patches = F.unfold(padded(layer, x), layer.kernel_size, layer.dilation, 0, layer.stride)
    grouped_patches = torch.unflatten(patches, 1, (layer.groups, -1))
    grouped_d = torch.unflatten(d.flatten(2), 1, (layer.groups, -1))
    return (grouped_d @ grouped_patches.transpose(2, 3)).flatten(1)


def _convolution_gradients(conv: _ConvNd, x: Tensor, d: Tensor) -> Tensor:
    """`image_gradients` of any convolution: each image becomes a convolution group of its own."""
    images, padding = len(x), conv.padding
    if not conv.transposed:
        x, padding = padded(conv, x), (0,) * len(conv.kernel_size)
    d, x = (t.reshape(1, images * t.shape[1], *t.shape[2:]) for t in (d, x))
    weight = conv.weight.repeat(images, *(1 for _ in conv.weight.shape[1:]))
    _, of_weight, _ = torch.ops.aten.convolution_backward(
        d, x, weight, None, conv.stride, padding, conv.dilation, conv.transposed,
        conv.output_padding, images * conv.groups, (False, True, False),
    )  # fmt: skip
    gradients: Tensor = of_weight.reshape(images, -1)
    return gradients


def _patch_elements(layer: nn.Module, x: Tensor, d: Tensor) -> int:
    """Elements per image of the patches that a convolution reads, or of another layer's input."""
    if not isinstance(layer, nn.Conv2d):
        return x[0].numel()
    return x.shape[1] * math.prod(layer.kernel_size) * d[0, 0].numel()
