from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from prunetune.compress.criteria.fpgm import distance_sums
from prunetune.compress.criteria.lamp import lamp
from prunetune.compress.criterion import Scene
from prunetune.compress.graph.groups import Group
from prunetune.compress.proof.proved_groups import prunable_groups
from prunetune.config.parts import Named
from prunetune.registry import criteria
from tests.compress.nets import architecture, trained

NETWORK = architecture("resnet14")
MODEL = trained(NETWORK)
GROUPS = prunable_groups(MODEL, NETWORK)
IMAGES = torch.randn(6, *NETWORK.input_shape, generator=torch.Generator().manual_seed(1))
LABELS = torch.arange(6)


def score(
    name: str, model: nn.Module = MODEL, seed: int = 0, **params: object
) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    scores: list[torch.Tensor] = criteria.make(Named(name=name, params=params)).score(
        Scene(model, NETWORK.input_shape, GROUPS, generator, lambda n: iter([(IMAGES, LABELS)]))
    )
    return scores


@torch.no_grad()
def with_group(group: Group, factor: float, units: slice = slice(None)) -> nn.Module:
    """The network with these units of a group multiplied in every layer of the group."""
    model = copy.deepcopy(MODEL)
    for member in group.members:
        weight = model.get_submodule(member.layer).weight
        assert isinstance(weight, torch.Tensor)
        channels = torch.from_numpy(member.index[units]).flatten()
        if member.side == "in":
            weight[:, channels] *= factor
        else:
            weight[channels] *= factor
    return model


@pytest.mark.parametrize("name", criteria.names())
def test_every_group_gets_one_finite_score_per_unit_and_the_model_stays(name: str) -> None:
    before = {key: value.clone() for key, value in MODEL.state_dict().items()}
    scores = score(name)
    assert [len(s) for s in scores] == [g.width for g in GROUPS]
    assert all(s.dtype == torch.float64 and s.isfinite().all() for s in scores)
    assert all(torch.equal(before[k], v) for k, v in MODEL.state_dict().items())


@pytest.mark.parametrize(("name", "params"), [
    ("magnitude", {"p": 1}), ("magnitude", {"p": 2}), ("magnitude", {"reduction": "first"}),
    ("lamp", {}), ("lamp", {"p": 1}), ("bn_scale", {}),
])  # fmt: skip
def test_a_zeroed_channel_goes_first(name: str, params: dict[str, object]) -> None:
    for number, group in enumerate(GROUPS):
        scores = score(name, with_group(group, 0.0, slice(3, 4)), **params)[number]
        assert scores.argmin() == 3
        assert scores[3] == 0


@pytest.mark.parametrize("p", [1, 2])
def test_magnitude_is_the_mean_of_power_sums_over_the_layers(p: int) -> None:
    group = next(g for g in GROUPS if g.name == "layer1.0.conv1")
    (scores,) = [s for g, s in zip(GROUPS, score("magnitude", p=p, normalize="none"), strict=True)
                if g is group]  # fmt: skip
    block = MODEL.get_submodule("layer1.0")
    for i in range(group.width):
        parts = [
            block.conv1.weight[i].double().abs().pow(p).sum(),
            block.bn1.weight[i].double().abs().pow(p),
            block.conv2.weight[:, i].double().abs().pow(p).sum(),
        ]
        assert scores[i].item() == pytest.approx((sum(parts) / 3).item())


def test_the_mean_normaliser_forgets_the_scale_of_a_group() -> None:
    for number, group in enumerate(GROUPS):
        scaled = with_group(group, 3.0)
        plain, same = score("magnitude")[number], score("magnitude", scaled)[number]
        torch.testing.assert_close(plain, same, rtol=1e-6, atol=0)
        raw = score("magnitude", scaled, normalize="none")[number]
        torch.testing.assert_close(raw, 3 * score("magnitude", normalize="none")[number])
        one = copy.deepcopy(MODEL)
        with torch.no_grad():
            one.get_submodule(group.members[-1].layer).weight *= 3
        assert not torch.allclose(plain, score("magnitude", one)[number], rtol=1e-3)


def test_the_largest_channel_of_every_group_has_lamp_one() -> None:
    for scores in score("lamp"):
        assert scores.max() == 1
        assert (scores == 1).sum() == 1


def test_lamp_against_its_definition() -> None:
    s = torch.tensor([3.0, 1.0, 2.0, 0.0], dtype=torch.float64)
    torch.testing.assert_close(lamp(s), torch.tensor([1, 1 / 6, 2 / 5, 0], dtype=torch.float64))
    assert lamp(torch.ones(3)).tolist() == pytest.approx([1 / 3, 1 / 2, 1])
    assert lamp(torch.zeros(3)).tolist() == [0, 0, 1]


def test_fpgm_does_not_see_a_constant_added_to_all_filters() -> None:
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(40, 30, dtype=torch.float64, generator=generator)
    shifted = distance_sums(rows + 1e4)
    torch.testing.assert_close(distance_sums(rows), shifted, rtol=1e-9, atol=0)
    expected = [sum((a - b).norm() for b in rows).item() for a in rows]
    assert distance_sums(rows).tolist() == pytest.approx(expected)


def test_fpgm_takes_the_filter_at_the_median_first_and_equal_filters_alike() -> None:
    rows = torch.tensor([[1.0, 0], [-1, 0], [0, 1], [0, -1], [0, 0], [1, 0]]).double()
    sums = distance_sums(rows)
    assert sums.argmin() == 4
    assert sums[0] == pytest.approx(sums[5].item())


def test_random_depends_on_its_generator_alone() -> None:
    other = trained(NETWORK, seed=3)
    torch.manual_seed(77)
    for a, b, c in zip(
        score("random"), score("random", other), score("random", seed=1), strict=True
    ):
        assert torch.equal(a, b)
        assert not torch.equal(a, c)


def test_bn_scale_is_undefined_without_batch_norm() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4, affine=False))
    bare = criteria.make(Named(name="bn_scale"))
    member = type(GROUPS[0].members[0])
    index = torch.arange(4).reshape(4, 1).numpy()
    group = Group((member("0", "out", index), member("1", "out", index)))
    assert not bare.applies(model, group)
    assert all(bare.applies(MODEL, g) for g in GROUPS)
