"""CP and ThiNet: the error of readers without some units, and how a refit mends it."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from prunetune.compress.criteria.cp import Cp, CpParams, WeightFit, lasso_scores
from prunetune.compress.criteria.thinet import (
    ScaleFit,
    Thinet,
    ThinetParams,
    greedy_removal,
    greedy_scores,
)
from prunetune.compress.criterion import Scene
from prunetune.compress.graph.groups import Group
from prunetune.compress.network.cut import cut, other_units
from prunetune.compress.proof.proved_groups import find_groups, prunable_groups
from prunetune.compress.scoring import refit as refitting
from prunetune.compress.scoring.positions import SampleParams
from prunetune.compress.scoring.readers import (
    gram,
    gram_from_contributions,
    gram_from_moments,
    grams,
)
from tests.compress.nets import architecture, trained

SHAPE = (3, 9, 9)
IMAGES = torch.randn(20, *SHAPE, generator=torch.Generator().manual_seed(0)).double()
EVERYWHERE = 81
"""Positions per image: at least all of every map."""
CRITERIA: list[tuple[type[Cp] | type[Thinet], type[Any]]] = [(Cp, CpParams), (Thinet, ThinetParams)]


class Tiny(nn.Module):
    """Readers of all kinds: strided, dilated, grouped (behind a depthwise layer), linear."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.strided = nn.Conv2d(8, 6, 3, stride=2, padding=1)
        self.dilated = nn.Conv2d(8, 6, 3, stride=2, padding=2, dilation=2, padding_mode="circular")
        self.depth = nn.Conv2d(6, 6, 3, padding=1, groups=6, bias=False)
        self.grouped = nn.Conv2d(6, 4, 1, groups=2)
        self.head = nn.Linear(100, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x).relu()
        x = (self.strided(x) + self.dilated(x)).relu()
        out: Tensor = self.head(self.grouped(self.depth(x)).relu().flatten(1))
        return out


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def made() -> tuple[Tiny, tuple[Group, ...]]:
    torch.manual_seed(0)
    model = Tiny().double().eval()
    return model, find_groups(model, SHAPE, [model.head])


MODEL, GROUPS = made()


def scene(
    model: nn.Module = MODEL,
    groups: Sequence[Group] = GROUPS,
    x: Tensor = IMAGES,
    chunk: int = 8,
    charged: list[int] | None = None,
) -> Scene:
    def batches(n: int) -> Iterator[tuple[Tensor, Tensor]]:
        return ((part, torch.zeros(len(part), dtype=torch.int64)) for part in x[:n].split(chunk))

    shape = (x.shape[1], x.shape[2], x.shape[3])
    return Scene(
        model, shape, groups, seeded(), batches, [].append if charged is None else charged.append
    )


def params(**options: Any) -> dict[str, Any]:
    return {"images": len(IMAGES), "positions": EVERYWHERE, **options}


def contribution(layer: nn.Conv2d | nn.Linear, inputs: Tensor, channels: Sequence[int]) -> Tensor:
    """The part of the layer's output that comes from these input channels, without bias."""
    only = torch.zeros_like(inputs)
    only[:, list(channels)] = inputs[:, list(channels)]
    if isinstance(layer, nn.Linear):
        return F.linear(only, layer.weight)
    return layer._conv_forward(only, layer.weight, None)


def brute_force_gram(model: nn.Module, group: Group, x: Tensor) -> Tensor:
    """The Gram matrix of the units' contributions to every reader's whole output."""
    total = torch.zeros(group.width, group.width, dtype=torch.float64)
    for member in (m for m in group.members if m.side == "in"):
        layer = model.get_submodule(member.layer)
        assert isinstance(layer, nn.Conv2d | nn.Linear)
        maps: list[Tensor] = []
        handle = layer.register_forward_hook(lambda _, i, o, maps=maps: maps.extend([i[0], o]))
        model(x)
        handle.remove()
        parts = torch.stack(
            [contribution(layer, maps[0], row.tolist()).flatten() for row in member.index]
        )
        shape = (1, -1, *(1 for _ in maps[1].shape[2:]))
        bare = maps[1] - layer.bias.view(shape) if layer.bias is not None else maps[1]
        total += (parts @ parts.T / bare.square().sum()).detach()
    return total


def test_the_readers_gram_is_that_of_what_their_layers_compute() -> None:
    assert [(g.name, g.width) for g in GROUPS] == [("stem", 8), ("strided", 3), ("grouped", 2)]
    sampled = grams(scene(), "cp", SampleParams(**params()))
    for group, group_gram in zip(GROUPS, sampled, strict=True):
        torch.testing.assert_close(group_gram, brute_force_gram(MODEL, group, IMAGES))


def test_without_all_units_the_error_is_the_number_of_readers() -> None:
    for positions in (3, EVERYWHERE):
        sampled = grams(scene(), "cp", SampleParams(**params(positions=positions)))
        assert [group_gram.sum().item() for group_gram in sampled] == pytest.approx([2, 1, 1])


@pytest.mark.parametrize("groups", [1, 3])
def test_moments_and_contributions_give_one_gram(groups: int) -> None:
    x = torch.randn(groups, 50, 4, 6, generator=seeded()).double()
    weight = torch.randn(groups, 7, 4, 6, generator=seeded(1)).double()
    torch.testing.assert_close(gram_from_moments(x, weight), gram_from_contributions(x, weight))
    for rows in (1, 50):  # whichever is less work
        torch.testing.assert_close(
            gram(x[:, :rows], weight), gram_from_moments(x[:, :rows], weight)
        )


@pytest.mark.parametrize("seed", range(5))
def test_each_greedy_step_is_the_best_there_is(seed: int) -> None:
    x = torch.randn(30, 4, generator=seeded(seed)).double()
    x = (x @ torch.randn(4, 9, generator=seeded(seed + 9)).double()).numpy()
    order, errors = greedy_removal(x.T @ x)
    assert sorted(order) == list(range(9))
    for step, unit in enumerate(order):
        errors_without = {
            j: np.square(x[:, [*order[:step], j]].sum(1)).sum()
            for j in range(9)
            if j not in order[:step]
        }
        assert errors_without[unit] == pytest.approx(min(errors_without.values()), abs=1e-9)
        assert errors[step] == pytest.approx(errors_without[unit], abs=1e-9)


def test_scores_repeat_the_greedy_order_even_where_errors_fall_or_tie() -> None:
    x = np.array([[3.0, -3, 1, 0, 0], [0, 0, 0, 0, 0]])
    order, errors = greedy_removal(x.T @ x)
    assert (order, errors.tolist()) == ([3, 4, 2, 1, 0], [0, 0, 1, 4, 1])
    scores = greedy_scores(torch.from_numpy(x.T @ x))
    assert scores.argsort().tolist() == order
    assert scores.tolist() == pytest.approx([4, 4, 1, 0, 0], abs=1e-12)


@pytest.mark.parametrize(("criterion", "made_with"), CRITERIA)
def test_a_dead_channel_goes_first_and_loses_nothing(criterion: Any, made_with: Any) -> None:
    model = copy.deepcopy(MODEL)
    with torch.no_grad():
        model.stem.bias[5], model.stem.weight[5] = -1, 0
    scores = criterion(made_with(**params())).score(scene(model))[0]
    assert scores.argmin() == 5
    assert scores[5] == 0
    assert (scores.sort().values[1:] > 0).all()


@torch.no_grad()
def with_twins() -> Tiny:
    """Channel 6 of the stem is three times channel 2, and read by twice the weights."""
    model = copy.deepcopy(MODEL)
    model.stem.weight[6], model.stem.bias[6] = 3 * model.stem.weight[2], 3 * model.stem.bias[2]
    for reader in (model.strided, model.dilated):
        reader.weight[:, 6] = 2 * reader.weight[:, 2]
    return model


def test_of_two_proportional_channels_either_alone_loses_nothing() -> None:
    model = with_twins()
    (stem_gram, *_) = grams(scene(model), "cp", SampleParams(**params()))
    scores = lasso_scores(stem_gram)
    assert scores.argsort()[0] == 2  # spanned by the larger one
    assert scores[2] == 0
    assert (scores[[i for i in range(8) if i != 2]] > 0).all()


@pytest.mark.parametrize("removed_unit", [2, 6])
@pytest.mark.parametrize(("criterion", "made_with"), CRITERIA)
def test_the_refit_puts_a_twin_in_its_place(
    criterion: Any, made_with: Any, removed_unit: int
) -> None:
    model = with_twins()
    removed = [[removed_unit], [], []]
    small = cut(model, GROUPS, removed)
    before = (small(IMAGES) - model(IMAGES)).square().sum()
    criterion(made_with(**params())).refit(scene(model), small, other_units(GROUPS, removed))
    after = (small(IMAGES) - model(IMAGES)).square().sum()
    assert after < 1e-9 * before


@pytest.mark.parametrize(("criterion", "made_with"), CRITERIA)
def test_after_a_dead_channel_is_removed_the_refit_reproduces_the_output(
    criterion: Any, made_with: Any
) -> None:
    model = copy.deepcopy(MODEL)
    with torch.no_grad():
        model.stem.bias[:2], model.stem.weight[:2] = -1, 0
    removed = [[0], [], []]  # one of two dead channels: least squares alone would be singular
    small = cut(model, GROUPS, removed)
    criterion(made_with(**params())).refit(scene(model), small, other_units(GROUPS, removed))
    torch.testing.assert_close(small(IMAGES), model(IMAGES), rtol=0, atol=1e-9)


def error_at(reader: str, small: nn.Module, outputs_kept: Sequence[int]) -> float:
    """Squared distance between a reader's outputs in the dense and the cut network."""
    outputs = []
    for model in (MODEL, small):
        layer = model.get_submodule(reader)
        handle = layer.register_forward_hook(lambda _, i, o: outputs.append(o.detach()))
        model(IMAGES)
        handle.remove()
    return float((outputs[0][:, list(outputs_kept)] - outputs[1]).square().sum())


REMOVED = [[1, 4], [0], [1]]


@pytest.mark.parametrize(("criterion", "made_with"), CRITERIA)
def test_the_first_readers_error_never_grows(criterion: Any, made_with: Any) -> None:
    for number in range(3):
        removed = [units if n == number else [] for n, units in enumerate(REMOVED)]
        small = cut(MODEL, GROUPS, removed)
        mended = copy.deepcopy(small)
        criterion(made_with(**params())).refit(scene(), mended, other_units(GROUPS, removed))
        for member in (m for m in GROUPS[number].members if m.side == "in"):
            every_output = range(len(MODEL.get_submodule(member.layer).weight))
            before, after = (error_at(member.layer, net, every_output) for net in (small, mended))
            unchanged = criterion is Cp and member.layer == "head"  # 20 rows for 50 weights
            assert after == before if unchanged else after < before


def test_weights_and_scales_are_those_of_least_squares() -> None:
    x = torch.randn(2, 60, 5, 3, generator=seeded()).double()
    weight = torch.randn(2, 4, 5, 3, generator=seeded(1)).double()
    missing = torch.randn(2, 60, 4, generator=seeded(2)).double()
    wide, scales = WeightFit(weight, 60), ScaleFit(weight, 60)
    for part in (slice(0, 25), slice(25, 60)):
        wide.add(x[:, part], missing[:, part])
        scales.add(x[:, part], missing[:, part])
    best = torch.linalg.lstsq(x.flatten(2), missing).solution
    torch.testing.assert_close(wide.change().flatten(2).mT, best, rtol=1e-4, atol=1e-5)
    each = torch.einsum("grcn,gocn->groc", x, weight).flatten(1, 2)
    best = torch.linalg.lstsq(each, missing.reshape(2, -1, 1)).solution
    expected = best.view(2, 1, 5, 1) * weight
    torch.testing.assert_close(scales.change(), expected, rtol=1e-4, atol=1e-5)


def test_weights_that_the_images_do_not_determine_stay() -> None:
    weight = torch.randn(1, 1, 9, 3, generator=seeded()).double()
    x, missing = torch.randn(1, 8, 9, 3).double(), torch.randn(1, 8, 1).double()
    for fit in (WeightFit(weight, 8), ScaleFit(weight, 8)):
        fit.add(x, missing)
        assert not fit.change().any()
        assert fit.change().shape == weight.shape


@pytest.mark.parametrize("rows_per_weight", [0.9, 1.1, 2, 3.2, 10])
def test_weights_are_fitted_only_where_that_helps_on_other_images(rows_per_weight: float) -> None:
    inputs, taps, outputs = 8, 9, 6
    weight = torch.randn(1, outputs, inputs, taps, generator=seeded()).double()
    truth = 0.2 * torch.randn(outputs, inputs * taps, generator=seeded(1)).double()

    def sample(rows: int, seed: int) -> tuple[Tensor, Tensor]:
        x = torch.randn(1, rows, inputs, taps, generator=seeded(seed)).double()
        noise = torch.randn(1, rows, outputs, generator=seeded(seed + 1)).double()
        return x, x.flatten(2) @ truth.T + noise

    rows = int(rows_per_weight * inputs * taps)
    fit = WeightFit(weight, rows)
    fit.add(*sample(rows, 2))
    change = fit.change()
    x, missing = sample(5000, 4)
    residual = missing - x.flatten(2) @ change.reshape(1, outputs, -1).mT
    if rows_per_weight < 3:
        assert not change.any()
    else:
        assert residual.square().mean() < missing.square().mean()


@pytest.mark.parametrize(("criterion", "made_with"), CRITERIA)
def test_chunks_matter_neither_to_scores_nor_to_the_refit(
    criterion: Any, made_with: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = criterion(made_with(**params(positions=6)))
    for a, b in zip(part.score(scene(chunk=20)), part.score(scene(chunk=3)), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-12)
    mended, passes = [], []
    for at_once in (2**27, 6 * 648, 2 * 648):  # chunks of 20, 6, and 2 images
        monkeypatch.setattr(refitting, "_MAP_ELEMENTS_AT_ONCE", at_once)
        small, charged = cut(MODEL, GROUPS, REMOVED), list[int]()
        part.refit(scene(charged=charged), small, other_units(GROUPS, REMOVED))
        mended.append(small(IMAGES))
        passes.append(sum(charged))
    for other in mended[1:]:
        torch.testing.assert_close(other, mended[0], rtol=1e-7, atol=1e-9)
    assert passes[0] < passes[1] < passes[2]


@pytest.mark.parametrize(("criterion", "made_with"), CRITERIA)
def test_passes_are_charged_and_the_scene_is_left_as_it_was(criterion: Any, made_with: Any) -> None:
    model = copy.deepcopy(MODEL).train()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    charged: list[int] = []
    charged_scene = scene(model, charged=charged)
    part, small = criterion(made_with(**params())), cut(model, GROUPS, REMOVED)
    part.score(charged_scene)
    once = sum(charged)
    part.refit(charged_scene, small, other_units(GROUPS, REMOVED))
    assert once < sum(charged) < 3 * once  # one pass of the dense network, one of the cut one
    assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())
    for network in (model, small):
        assert network.training
        assert not any(m._forward_hooks or m._forward_pre_hooks for m in network.modules())
        assert all(p.requires_grad and p.grad is None for p in network.parameters())
    unmended = cut(model, GROUPS, REMOVED)
    part.__class__(made_with(**params(refit=False))).refit(
        charged_scene, unmended, other_units(GROUPS, REMOVED)
    )
    plain = cut(model, GROUPS, REMOVED).state_dict()
    assert all(torch.equal(plain[k], v) for k, v in unmended.state_dict().items())


@pytest.mark.parametrize(("criterion", "made_with"), CRITERIA)
def test_scores_depend_on_the_seed_alone(criterion: Any, made_with: Any) -> None:
    part = criterion(made_with(**params(positions=4)))
    first, again = part.score(scene()), part.score(scene())
    other = part.score(replace(scene(), generator=seeded(1)))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0], other[0])


@pytest.mark.parametrize("name", ["cp", "thinet"])
def test_a_scene_without_images_is_refused_by_name(name: str) -> None:
    bare = replace(scene(), batches=None)
    with pytest.raises(ValueError, match=f"'{name}'"):
        grams(bare, name, SampleParams())


def test_the_refit_helps_a_residual_network_that_was_trained() -> None:
    network = architecture("resnet14", 16)
    model = taught(trained(network))
    groups = prunable_groups(model, network)
    x = shapes(200, seed=1)[0]
    removed = [list(range(0, group.width, 3)) for group in groups]
    small = cut(model, groups, removed).eval()
    errors = {}
    for name, (criterion, made_with) in zip(["cp", "thinet"], CRITERIA, strict=True):
        mended = copy.deepcopy(small)
        part = criterion(made_with(images=200, positions=10))
        part.refit(scene(model, groups, x, 100), mended, other_units(groups, removed))
        errors[name] = float(distance(model, mended))
    assert errors["cp"] < errors["thinet"] < float(distance(model, small))


@torch.no_grad()
def distance(model: nn.Module, other: nn.Module) -> Tensor:
    """Mean squared difference of the logits on images that no fit has used."""
    x, _ = shapes(200, seed=2)
    return (model.eval()(x) - other.eval()(x)).square().mean()


def shapes(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Images of ten noisy patterns."""
    patterns = torch.randn(10, 3, 4, 4, generator=seeded(77))
    y = torch.randint(10, (count,), generator=seeded(seed))
    x = F.interpolate(patterns, scale_factor=4)[y]
    return x + 0.7 * torch.randn(x.shape, generator=seeded(seed + 100)), y


def taught(model: nn.Module) -> nn.Module:
    optimizer = torch.optim.SGD(model.train().parameters(), lr=0.05, momentum=0.9)
    for step in range(25):
        x, y = shapes(32, seed=1000 + step)
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()
    return model.eval()
