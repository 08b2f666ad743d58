from __future__ import annotations

from typing import Any

import pytest
import torch

from prunetune.compress.budget.costs import count_macs
from prunetune.compress.method import Infeasible, Target
from prunetune.compress.methods.channel_pruning.method import ChannelPruning, ChannelPruningParams
from prunetune.compress.methods.copycat import Copycat, CopycatParams
from prunetune.compress.methods.profile import Profile
from prunetune.compress.methods.reinit import Reinit, ReinitParams
from prunetune.records.architecture import Architecture
from tests.compress.nets import architecture, context, image

R20, R20A, MOBILE = (
    architecture("resnet20"),
    architecture("resnet20", shortcut="A"),
    architecture("mobilenet_v2"),
)
COPYCAT = Copycat(CopycatParams.model_validate({"from": "pruned", "at": 0.25}))


def source_of(network: Architecture, share: float = 0.25) -> Architecture:
    params = ChannelPruningParams.model_validate({"scope": "protected_global", "recalibrate": 0})
    return ChannelPruning(params).run(context(network, share)).architecture


SOURCES = {id(network): source_of(network) for network in (R20, R20A, MOBILE)}


@pytest.mark.parametrize("network", [R20, R20A, MOBILE], ids=["B", "A", "mobile"])
@pytest.mark.parametrize("share", [0.8, 0.5, 0.12])
def test_the_profile_is_scaled_to_the_budget_by_one_factor(network: Any, share: float) -> None:
    given = context(network, share)
    given.source = SOURCES[id(network)]
    found = COPYCAT.run(given)
    assert given.target.lowest <= found.macs <= given.target.macs
    assert found.macs == count_macs(found.model, network.input_shape)
    found.model.eval()(image(network, torch.float32))
    source, scaled = (Profile.of(a, network) for a in (given.source, found.architecture))
    assert all(now <= most for now, most in zip(scaled.kept, scaled.most, strict=True))
    ends = [
        ((now - 0.5) / was, (now + 0.5) / was)
        for was, now, most in zip(source.kept, scaled.kept, source.most, strict=True)
        if 1 < now < most
    ]
    assert len(ends) > 1
    one = max(low for low, _ in ends) <= min(high for _, high in ends)
    assert one or found.departures["channels"], "but for repairs one factor explains all widths"


@pytest.mark.parametrize("network", [R20, R20A], ids=["B", "A"])
def test_at_its_sources_budget_it_is_reinit(network: Architecture) -> None:
    given = context(network, 0.25)
    given.source = SOURCES[id(network)]
    again = Reinit(ReinitParams.model_validate({"from": "pruned"})).run(given)
    found = COPYCAT.run(given)
    assert (found.architecture, found.macs) == (again.architecture, again.macs)
    pairs = zip(found.model.state_dict().values(), again.model.state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_widths_grow_with_the_budget_when_nothing_is_repaired() -> None:
    profile = Profile.of(SOURCES[id(R20)], R20)
    dense = count_macs(context(R20, 1.0).dense, R20.input_shape)  # type: ignore[arg-type]
    before = [0] * len(profile.kept)
    for share in (0.06, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9):
        loose = Target(int(dense * share), dense, 1.0)
        widths, departures = profile.scaled(profile.kept, loose)
        assert not departures
        assert all(a <= b for a, b in zip(before, widths, strict=True))
        before = list(widths)


def test_an_unreachable_budget_reports_the_nearest_macs() -> None:
    given = context(R20, 0.0005)
    given.source = SOURCES[id(R20)]
    with pytest.raises(Infeasible) as miss:
        COPYCAT.run(given)
    (promise,) = COPYCAT.reach(R20, [given.target])
    assert not promise.within
    assert promise.smallest_macs == promise.nearest_macs == miss.value.nearest_macs


def test_reach_promises_budgets_that_real_profiles_meet() -> None:
    givens = [context(R20, share) for share in (0.8, 0.5, 0.25, 0.06)]
    for given, promise in zip(givens, COPYCAT.reach(R20, [g.target for g in givens]), strict=True):
        assert promise.within
        assert given.target.lowest <= promise.nearest_macs <= given.target.macs
        given.source = SOURCES[id(R20)]
        assert COPYCAT.run(given).macs >= promise.smallest_macs
