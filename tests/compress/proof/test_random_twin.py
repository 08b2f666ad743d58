"""The network on which cuts are tried: nothing in it may be silent."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from prunetune.compress.proof.random_twin import RandomNumbers, kept_in_range, random_twin


def network(*, norm: bool) -> nn.Module:
    """Two channels a layer, which a ReLU often silences all."""
    layers: list[nn.Module] = []
    for width in (3, 2, 2, 2):
        layers += [nn.Conv2d(width, 2, 3, padding=1, bias=not norm)]
        layers += [nn.BatchNorm2d(2)] if norm else []
        layers += [nn.ReLU()]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(128, 4), nn.ReLU())


@pytest.mark.parametrize("norm", [False, True])
@pytest.mark.parametrize("trained", [False, True])
def test_no_channel_is_silent_or_linear_only(norm: bool, trained: bool) -> None:
    for seed in range(20):
        model = network(norm=norm)
        if trained:  # statistics far from those of the random network
            for layer in model.modules():
                if isinstance(layer, nn.BatchNorm2d):
                    nn.init.constant_(layer.running_mean, 9.0)  # type: ignore[arg-type]
                    nn.init.constant_(layer.running_var, 40.0)  # type: ignore[arg-type]
        numbers = RandomNumbers(seed)
        twin = random_twin(model, numbers)
        image = numbers.uniform((2, 3, 8, 8), -1.7, 1.7)
        with kept_in_range(twin), torch.no_grad():
            first = twin(image)
        assert torch.equal(twin(image), first) or _close(twin(image), first)
        for layer in twin:  # type: ignore[attr-defined]
            if isinstance(layer, nn.ReLU) and image.ndim == 4:
                flat = image.transpose(0, 1).flatten(1)
                assert (flat.amax(1) > 0).all()
                assert (flat.amin(1) < 0).all()
            image = layer(image)
        assert all(not layer._forward_hooks and not layer._forward_pre_hooks for layer in twin)  # type: ignore[attr-defined]


def _close(one: Tensor, other: Tensor) -> bool:
    return torch.allclose(one, other, rtol=1e-12, atol=1e-12)


def test_layers_that_are_called_twice_are_fitted_once() -> None:
    layer = nn.Linear(3, 3)

    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = layer

        def forward(self, x: Tensor) -> Tensor:
            y: Tensor = self.layer(self.layer(x).relu())
            return y

    numbers = RandomNumbers()
    twin = random_twin(Twice(), numbers)
    x = numbers.uniform((8, 3), -1, 1)
    with kept_in_range(twin), torch.no_grad():
        first = twin(x)
    assert _close(twin(x), first)
