"""What regularisers add to gradients, checked by brute force, and in which steps."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest
import torch
import torch_pruning as tp
from torch import Tensor, nn

from prunetune.compress.graph.groups import Group
from prunetune.compress.proof.proved_groups import find_groups, prunable_groups
from prunetune.compress.regularizer import Strength, regularizing
from prunetune.config.parts import Named
from prunetune.config.recipe import Recipe
from prunetune.records.architecture import Architecture
from prunetune.records.files import StoredFile
from prunetune.registry import regularizers
from prunetune.train.checkpoint import CheckpointFile
from prunetune.train.loop import train
from tests.compress.nets import architecture, trained
from tests.train.conftest import CPU, SEEDS, TinySplit, TinySplits, tiny_network

STRENGTH = 0.25
ALL = regularizers.names()


class Small(nn.Module):
    """Everything at once: a grouped and a depthwise layer, biases, a sum, a flattening."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.grouped = nn.Conv2d(8, 8, 3, padding=1, groups=2)
        self.deep = nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.wide = nn.Conv2d(8, 6, 1)
        self.last = nn.Linear(6 * 16, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.first(x)).relu()
        x = x + self.deep(self.grouped(x))
        return self.last(self.wide(x.relu()).relu().flatten(1))


def small() -> tuple[nn.Module, tuple[Group, ...]]:
    torch.manual_seed(3)
    model = Small().double()
    nn.init.uniform_(model.norm.weight, -1, 1)
    nn.init.uniform_(model.norm.bias, -1, 1)
    return model, find_groups(model, (3, 4, 4), [model.last])


def network(name: str) -> tuple[nn.Module, tuple[Group, ...]]:
    if name == "small":
        return small()
    dense = architecture(name)
    model = trained(dense).double()
    return model, prunable_groups(model, dense)


def pieces(model: nn.Module, group: Group, unit: int, grad: bool = False) -> Iterator[Tensor]:
    """All parameters that a cut of the unit removes, as views, found channel by channel."""
    for member in group.members:
        layer = model.get_submodule(member.layer)
        for channel in map(int, member.index[unit]):
            if member.side == "out":
                yield from (p[channel] for p in tensors(layer, grad))
            else:
                weight = tensors(layer, grad)[0]
                slices = weight.shape[1]
                rows = len(weight) // getattr(layer, "groups", 1)
                block = channel // slices
                yield weight[block * rows : (block + 1) * rows, channel % slices]


def tensors(layer: nn.Module, grad: bool) -> list[Tensor]:
    parameters = [p for p in (layer.weight, layer.bias) if p is not None]
    return [p.grad if grad else p for p in parameters]


def vector(model: nn.Module, group: Group, unit: int, grad: bool = False) -> Tensor:
    return torch.cat([piece.reshape(-1) for piece in pieces(model, group, unit, grad)])


def norm(model: nn.Module, group: Group, unit: int, grad: bool = False) -> Tensor:
    return vector(model, group, unit, grad).norm()


def hook_of(name: str, groups: tuple[Group, ...], steps: int = 10, **params: object):
    given = {"strength": STRENGTH, **params}
    return regularizers.make(Named(name=name, params=given)).hook(groups, steps)


def added(model: nn.Module, hook, step: int = 0) -> dict[str, Tensor]:
    """The change that the hook makes to gradients that are all one half."""
    for parameter in model.parameters():
        parameter.grad = torch.full_like(parameter, 0.5)
    hook.after_backward(model, step)
    return {name: p.grad - 0.5 for name, p in model.named_parameters()}


def gradients(model: nn.Module, penalty: Tensor) -> dict[str, Tensor]:
    names, parameters = zip(*model.named_parameters(), strict=True)
    grads = torch.autograd.grad(penalty, parameters, allow_unused=True)
    return {
        name: torch.zeros_like(p) if g is None else g
        for name, p, g in zip(names, parameters, grads, strict=True)
    }


def assert_same(addition: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert addition.keys() == expected.keys()
    assert any(bool(tensor.any()) for tensor in expected.values())
    for name, tensor in addition.items():
        torch.testing.assert_close(tensor, expected[name], msg=lambda m, n=name: f"{n}: {m}")


def squares(model: nn.Module, groups: tuple[Group, ...]) -> list[Tensor]:
    """(units,) squared norms per group, differentiable."""
    return [
        torch.stack([norm(model, group, unit).square() for unit in range(group.width)])
        for group in groups
    ]


@pytest.mark.parametrize("size", [False, True])
def test_group_lasso_is_the_gradient_of_the_sum_of_norms(size: bool):
    model, groups = small()
    addition = added(model, hook_of("group_lasso", groups, size=size))
    penalty = torch.zeros((), dtype=torch.float64)
    for group in groups:
        for unit in range(group.width):
            theta = vector(model, group, unit)
            penalty = penalty + theta.norm() * (len(theta) ** 0.5 if size else 1.0)
    assert_same(addition, gradients(model, STRENGTH * penalty))


@pytest.mark.parametrize("name", ["resnet14", "mobilenet_v2"])
def test_group_lasso_adds_a_gradient_of_one_length_to_every_living_unit(name: str):
    model, groups = network(name)
    for group in (groups[0], groups[len(groups) // 2]):
        dead = group.width // 2
        with torch.no_grad():
            for piece in pieces(model, group, dead):
                piece.zero_()
        grads = added(model, hook_of("group_lasso", (group,)))
        for key, parameter in model.named_parameters():
            parameter.grad = grads[key]
        for unit in (0, dead, group.width - 1):
            length = norm(model, group, unit, grad=True).item()
            assert length == pytest.approx(0 if unit == dead else STRENGTH)


def test_group_norm_is_decay_by_two_to_the_alpha_of_weakness():
    model, groups = small()
    addition = added(model, hook_of("group_norm", groups, alpha=3.0))
    penalty = torch.zeros((), dtype=torch.float64)
    for energies in squares(model, groups):
        weakness = (energies.max() - energies) / (energies.max() - energies.min())
        penalty = penalty + (2 ** (3.0 * weakness.detach()) * energies / 2).sum()
    assert_same(addition, gradients(model, STRENGTH * penalty))


def test_group_norm_pulls_the_weakest_unit_sixteen_times_as_hard_as_the_strongest():
    model, groups = network("resnet14")
    for group in groups:
        norms = torch.stack([norm(model, group, unit) for unit in range(group.width)])
        grads = added(model, hook_of("group_norm", (group,)))
        for key, parameter in model.named_parameters():
            parameter.grad = grads[key]
        for unit, factor in ((int(norms.argmax()), 1), (int(norms.argmin()), 16)):
            length = norm(model, group, unit, grad=True)
            torch.testing.assert_close(length, factor * STRENGTH * norms[unit])


def test_units_that_are_alike_decay_alike():
    model, groups = small()
    for parameter in model.parameters():
        nn.init.ones_(parameter)
    group = next(g for g in groups if g.name == "wide")
    grads = added(model, hook_of("group_norm", (group,)))
    torch.testing.assert_close(grads["wide.weight"], STRENGTH * model.wide.weight.detach())


def test_growing_decay_is_flat_at_first_and_grows_with_weakness():
    model, groups = small()
    hook = hook_of("growing_reg", groups, growth=2.0)
    plain = gradients(model, STRENGTH * sum(e.sum() / 2 for e in squares(model, groups)))
    assert_same(added(model, hook), plain)
    grown = [torch.ones(g.width, dtype=torch.float64) for g in groups]
    for epoch in range(1, 4):
        before = hook.grown.clone()
        hook.after_epoch(model, epoch)
        assert (hook.grown >= before).all()
        weakest = sum(int(unit) for unit in (hook.grown - before > 1.999))
        assert weakest >= len(groups)
        penalty = torch.zeros((), dtype=torch.float64)
        for i, energies in enumerate(squares(model, groups)):
            weakness = (energies.max() - energies) / (energies.max() - energies.min())
            grown[i] += 2.0 * weakness.detach()
            penalty = penalty + (grown[i] * energies / 2).sum()
        assert_same(added(model, hook, step=epoch), gradients(model, STRENGTH * penalty))
        with torch.no_grad():  # another order of units
            model.wide.weight.mul_(torch.rand(6, 1, 1, 1))


def test_growing_decay_reaches_batch_norm_where_torch_pruning_adds_to_a_copy():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.Conv2d(6, 4, 3))
    theirs, image = copy.deepcopy(model), torch.randn(1, 3, 8, 8)
    pruner = tp.pruner.GrowingRegPruner(
        theirs, image, importance=tp.importance.MagnitudeImportance(p=2), reg=STRENGTH,
        ignored_layers=[theirs[2]],
    )  # fmt: skip
    for parameter in theirs.parameters():
        parameter.grad = torch.zeros_like(parameter)
    pruner.regularize(theirs)
    ours = added(model, hook_of("growing_reg", find_groups(model, (3, 8, 8), [model[2]])))
    for layer in ("0", "2"):
        name = f"{layer}.weight"
        torch.testing.assert_close(ours[name], theirs.get_parameter(name).grad)
    assert not theirs[1].weight.grad.any()
    torch.testing.assert_close(ours["1.weight"], STRENGTH * model[1].weight.detach())


def test_bn_scale_moves_scales_alone_all_by_the_same():
    model, groups = network("resnet14")
    with torch.no_grad():
        model.get_submodule("bn1" if hasattr(model, "bn1") else "norm1").weight[::2] *= -1
    scales = [n for n, m in model.named_modules() if isinstance(m, nn.BatchNorm2d)]
    penalty = sum(model.get_submodule(n).weight.abs().sum() for n in scales)
    addition = added(model, hook_of("bn_scale", groups))
    assert_same(addition, gradients(model, STRENGTH * penalty))


def test_bn_scale_leaves_channels_alone_that_no_group_has():
    model, groups = network("resnet14")
    addition = added(model, hook_of("bn_scale", groups[:1]))
    group_weights = {f"{m.layer}.weight" for m in groups[0].members}
    assert {name for name, tensor in addition.items() if tensor.any()} < group_weights


def test_strength_rises_over_its_ramp():
    constant, ramp = Strength(strength=2.0), Strength(strength=2.0, ramp=0.5)
    assert [constant.at(step, 8) for step in range(8)] == [2.0] * 8
    assert [ramp.at(step, 8) for step in range(8)] == [0.5, 1.0, 1.5, 2.0, 2.0, 2.0, 2.0, 2.0]


@pytest.fixture
def splits() -> TinySplits:
    generator = torch.Generator().manual_seed(7)
    x = torch.randn(60, 3, 8, 8, generator=generator)
    y = torch.arange(60) % 4
    return TinySplits(TinySplit(x[:40], y[:40]), TinySplit(x[40:], y[40:]))


def trained_with(splits: TinySplits, hooks, file: Path | None = None, epochs: int = 3) -> dict:
    model = tiny_network()
    checkpoint = CheckpointFile(StoredFile(file)) if file else None
    steps = train(
        model, splits, Recipe(batch_size=10), 3, seeds=SEEDS, device=CPU, hooks=hooks,
        checkpoint=checkpoint,
    )  # fmt: skip
    list(islice(steps, epochs))
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def tiny_hook(name: str, **params: object):
    model = tiny_network()
    return hook_of(name, find_groups(model, (3, 8, 8), [model[-1]]), steps=12, **params)


@pytest.mark.parametrize("name", ALL)
def test_without_strength_training_is_plain_bit_for_bit(name: str, splits: TinySplits):
    plain = trained_with(splits, ())
    idle = trained_with(splits, (tiny_hook(name, strength=0.0),))
    assert all(torch.equal(plain[key], idle[key]) for key in plain)
    busy = trained_with(splits, (tiny_hook(name),))
    assert not all(torch.equal(plain[key], busy[key]) for key in plain)


@pytest.mark.parametrize("name", ALL)
def test_a_resumed_training_is_the_same_bit_for_bit(name: str, splits: TinySplits, tmp_path: Path):
    params = {"ramp": 0.7, "strength": 0.01}
    whole = trained_with(splits, (tiny_hook(name, **params),))
    file = tmp_path / "checkpoint.safetensors"
    trained_with(splits, (tiny_hook(name, **params),), file, epochs=2)
    resumed = trained_with(splits, (tiny_hook(name, **params),), file)
    assert all(torch.equal(whole[key], resumed[key]) for key in whole)


@pytest.mark.parametrize("name", [name for name in ALL if name != "bn_scale"])
def test_units_that_are_pulled_shrink(name: str, splits: TinySplits):
    model = tiny_network()
    groups = find_groups(model, (3, 8, 8), [model[-1]])
    norms = [
        sum(energies.sum().item() for energies in squares(model, groups))
        for model in (loaded(trained_with(splits, hooks)) for hooks in ((), (tiny_hook(name),)))
    ]
    assert norms[1] < norms[0]


def loaded(state: dict) -> nn.Module:
    model = tiny_network()
    model.load_state_dict(state)
    return model


def test_a_regularizer_that_has_nothing_to_act_on_is_refused_by_name():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 3))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "prunetune.compress.regularizer.prunable_groups",
            lambda model, bare: find_groups(model, bare.input_shape, [model[-1]]),
        )
        bare = Architecture(model="plain", classes=2, input_shape=(3, 8, 8))
        with pytest.raises(ValueError, match="'bn_scale' is defined for none of the 1 prunable"):
            regularizing(Named(name="bn_scale"), model, bare, 10)
        regularizing(Named(name="group_lasso"), model, bare, 10)
