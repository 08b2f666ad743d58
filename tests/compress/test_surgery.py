from __future__ import annotations

import numpy as np
import pytest
import torch

from prunetune.compress.rebuild import layer_widths, rebuild
from prunetune.compress.surgery import cut, kept_channels
from tests.compress.nets import architecture, groups_of, image, silenced, trained

NETWORKS = [
    ("resnet20", 32, {"shortcut": "A"}),
    ("resnet20", 32, {"shortcut": "B"}),
    ("resnet56", 32, {"shortcut": "A"}),
    ("resnet18", 32, {"stem": "cifar"}),
    *[(name, 32, {}) for name in ("resnet50", "wide_resnet50_2", "resnext50_32x4d", "vgg11_bn")],
    *[(name, 32, {}) for name in ("mobilenet_v2", "densenet121", "efficientnet_b0")],
]


@pytest.mark.parametrize(("name", "size", "params"), NETWORKS)
def test_a_cut_network_is_the_dense_one_with_those_channels_silenced(
    name: str, size: int, params: dict[str, str]
) -> None:
    network = architecture(name, size, **params)
    model = trained(network).double().eval()
    groups = groups_of(model, network)
    generator = np.random.default_rng(1)
    removed = [sorted(generator.permutation(g.width)[: g.width // 2].tolist()) for g in groups]
    narrow = cut(model, network.input_shape, groups, removed)
    x = image(network)
    with torch.no_grad():
        expected = silenced(model, groups, removed)(x)
        torch.testing.assert_close(narrow(x), expected, rtol=0, atol=1e-12 * expected.abs().max())
        assert not torch.allclose(model(x), expected)  # else the law would hold of anything

    found = network.model_copy(update={"layers": layer_widths(narrow)})
    again = rebuild(type(found).model_validate_json(found.model_dump_json())).double().eval()
    again.load_state_dict(narrow.state_dict())
    with torch.no_grad():
        assert torch.equal(again(x), narrow(x))


def test_kept_channels_are_those_whose_weights_stay() -> None:
    network = architecture("resnet14")
    model = trained(network)
    groups = groups_of(model, network)
    removed = [(1, 3)] * len(groups)
    narrow = cut(model, network.input_shape, groups, removed)
    for name, channels in kept_channels(groups, removed).items():
        bias = f"{name.replace('conv', 'bn')}.bias"
        assert torch.equal(model.state_dict()[bias][channels], narrow.state_dict()[bias])


def test_cutting_in_two_rounds_is_cutting_at_once() -> None:
    network = architecture("resnet14")
    model = trained(network)
    groups = groups_of(model, network)
    at_once = cut(model, network.input_shape, groups, [(0, 2, 5)] * len(groups))
    half = cut(model, network.input_shape, groups, [(2,)] * len(groups))
    twice = cut(half, network.input_shape, groups_of(half, network), [(0, 4)] * len(groups))
    for a, b in zip(at_once.state_dict().values(), twice.state_dict().values(), strict=True):
        assert torch.equal(a, b)
