from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from prunetune.compress.graph.groups import Group, Member
from prunetune.compress.graph.traced import traced_groups
from prunetune.compress.network.cut import cut, cut_to, other_units
from prunetune.compress.proof.proved_groups import believe, left_alone, prove, prunable_groups
from prunetune.compress.proof.prover import Prover
from prunetune.plan import LeftAlone
from prunetune.registry import models
from tests.compress.nets import architecture, trained

NETWORKS = [
    ("resnet14", {}),
    ("densenet_bc_40", {"growth": 4}),
    ("mobilenet_v2", {"stem": "cifar", "widths": (8, 8, 8, 12, 12, 16, 16, 32, 64)}),
    ("vit_tiny", {"patch": 16}),
]


def mistaken(group: Group) -> Iterator[tuple[str, Group]]:
    """The group with two units of one member exchanged, for each member in turn."""
    for i, member in enumerate(group.members):
        index = member.index.copy()
        index[[0, -1]] = index[[-1, 0]]
        wrong = Member(member.layer, member.side, index)
        members = (*group.members[:i], wrong, *group.members[i + 1 :])
        yield f"{member.layer} {member.side}", replace(group, members=members)


@pytest.mark.parametrize(("name", "params"), NETWORKS)
def test_a_proof_that_can_fail(name: str, params: dict[str, object]) -> None:
    """One exchange of two units in one of a group's layers is seen, in every group."""
    network = architecture(name, **params)
    model = trained(network)
    ignored = models.get(name).part.ignored_layers(model)
    groups = traced_groups(model, network.input_shape, ignored).groups
    prover = Prover(model, network.input_shape)
    assert prover.fault(groups) is None
    for group in groups[:: max(1, len(groups) // 3)]:
        for where, wrong in list(mistaken(group))[:3]:
            others = [wrong if other is group else other for other in groups]
            assert prover.fault(others), f"{group.name}: {where}"


def test_the_culprit_is_found_among_right_groups() -> None:
    network = architecture("resnet14")
    model = trained(network)
    groups = list(prunable_groups(model, network))
    _, wrong = next(iter(mistaken(groups[4])))
    groups[4] = wrong
    right, refused = Prover(model, network.input_shape).proved(groups)
    assert [group for group, _ in refused] == [wrong]
    assert right == [group for group in groups if group is not wrong]


@pytest.mark.parametrize(("name", "params"), [NETWORKS[0], NETWORKS[2]])  # the latter has dropout
def test_random_numbers_and_modes_of_the_caller_stay_as_they_are(
    name: str, params: dict[str, object]
) -> None:
    network = architecture(name, **params)
    model = trained(network).train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    torch.manual_seed(3)
    state = torch.get_rng_state()
    ignored = models.get(name).part.ignored_layers(model)
    groups = traced_groups(model, network.input_shape, ignored).groups
    assert Prover(model, network.input_shape).fault(groups) is None
    assert torch.equal(torch.get_rng_state(), state)
    assert all(layer.training for layer in model.modules())
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert not any(layer._forward_hooks or layer._forward_pre_hooks for layer in model.modules())


def test_a_narrower_network_has_the_groups_of_its_family_and_no_proof_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    network = architecture("resnet14", widths=(6, 8, 10))
    monkeypatch.setattr("prunetune.compress.proof.proved_groups._left_alone", {})
    monkeypatch.setattr("prunetune.compress.proof.proved_groups._groups", {})
    model = trained(network)
    groups = prunable_groups(model, network)
    assert left_alone(network) == ()
    monkeypatch.setattr("prunetune.compress.proof.proved_groups.prove", None)
    assert prunable_groups(model, network) is groups
    narrower = architecture("resnet14", widths=(6, 8, 10)).model_copy(update={"layers": {}})
    assert [g.name for g in prunable_groups(model, narrower)] == [g.name for g in groups]


def test_what_a_plan_left_alone_is_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    network = architecture("resnet14", widths=(7, 9, 11))
    monkeypatch.setattr("prunetune.compress.proof.proved_groups._left_alone", {})
    monkeypatch.setattr("prunetune.compress.proof.proved_groups._groups", {})
    monkeypatch.setattr("prunetune.compress.proof.proved_groups.prove", None)
    entry = LeftAlone(layer="layer2.0.conv1", reason="as planned", share=0.1)
    believe(network, [entry])
    names = [group.name for group in prunable_groups(trained(network), network)]
    assert "layer2.0.conv1" not in names
    assert "layer2.1.conv1" in names
    assert left_alone(network) == (entry,)


class Picks(nn.Module):
    """Reads a few of many channels; which, a buffer says."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.head = nn.Conv2d(1, 8, 3), nn.Linear(3, 4)
        self.register_buffer("places", torch.tensor([1, 5, 6]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.head(self.inner(x)[:, self.places].mean((2, 3)))
        return out


def test_integer_buffers_keep_their_values_in_copies() -> None:
    for _ in range(3):  # uninitialised memory would be out of range in one of them
        model = Picks()
        traced = traced_groups(model, (1, 8, 8), [model.head])
        assert [entry.layer for entry in traced.refused] == ["inner"]
        assert np.array_equal(model.places.numpy(), [1, 5, 6])


def test_a_proof_draws_from_its_own_generators_alone() -> None:
    """Also where a network has dropout, which draws in training mode."""
    layers = [nn.Conv2d(1, 6, 3), nn.Dropout(), nn.Conv2d(6, 4, 3), nn.Flatten()]
    model = nn.Sequential(*layers, nn.Linear(64, 3))
    before = torch.get_rng_state()
    assert prove(model, (1, 8, 8), [model[4]]).groups
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(("name", "params"), NETWORKS)
def test_groups_of_a_cut_network_are_the_groups_of_the_whole_one_cut(
    name: str, params: dict[str, object]
) -> None:
    """So what is proved of the whole network holds for every round that cuts it further."""
    network = architecture(name, **params)
    model = trained(network)
    groups = prunable_groups(model, network)
    generator = np.random.default_rng(0)
    fewest = 2 if name == "mobilenet_v2" else 1  # one depthwise channel is a plain convolution
    sizes = [generator.integers(fewest, 4) for _ in groups]
    kept = [
        sorted(generator.permutation(group.width)[:size].tolist())
        for group, size in zip(groups, sizes, strict=True)
    ]
    narrow = cut(model, groups, other_units(groups, kept))
    remaining: dict[tuple[str, str], list[int]] = {}
    for group, units in zip(groups, kept, strict=True):
        for member in group.members:
            channels = remaining.setdefault((member.layer, member.side), [])
            channels += member.index[units].ravel().tolist()
    after = prunable_groups(narrow, network)
    assert [group.name for group in after] == [group.name for group in groups]
    for group, units, smaller in zip(groups, kept, after, strict=True):
        whole = {(member.layer, member.side): member.index[units] for member in group.members}
        of_narrow = {(member.layer, member.side): member.index for member in smaller.members}
        assert of_narrow.keys() == whole.keys()
        for place, index in whole.items():
            numbers = {c: i for i, c in enumerate(sorted(remaining[place]))}
            assert np.array_equal(of_narrow[place], np.vectorize(numbers.get)(index)), place


class OneOff(nn.Module):
    """One channel among many is taken from its neighbour, beside a shortcut."""

    def __init__(self, place: int) -> None:
        super().__init__()
        self.place, self.stem = place, nn.Conv2d(1, 16, 3, padding=1)
        self.inner, self.head = nn.Conv2d(16, 16, 3, padding=1), nn.Linear(16, 10)

    def forward(self, x: Tensor) -> Tensor:
        y = self.stem(x)
        z = self.inner(y)
        taken = (torch.arange(z.shape[1]) == self.place).to(z).view(1, -1, 1, 1)
        out: Tensor = self.head((y + z * (1 - taken) + z.roll(1, 1) * taken).mean((2, 3)))
        return out


@pytest.mark.parametrize("place", range(16))
def test_one_channel_in_a_wrong_place_is_seen_wherever_it_is(place: int) -> None:
    model = OneOff(place)
    assert not prove(model, (1, 8, 8), [model.head]).groups


def test_a_network_with_its_units_in_another_order_computes_the_same() -> None:
    network = architecture("resnet14")
    model, x = trained(network).double(), torch.randn(2, 3, 32, 32, dtype=torch.float64)
    groups = prunable_groups(model, network)
    generator = np.random.default_rng(0)
    other = cut_to(model, groups, [generator.permutation(g.width).tolist() for g in groups])
    pairs = zip(model.parameters(), other.parameters(), strict=True)
    assert any(not torch.equal(a, b) for a, b in pairs)
    with torch.no_grad():
        torch.testing.assert_close(other(x), model(x), rtol=1e-10, atol=1e-10)
