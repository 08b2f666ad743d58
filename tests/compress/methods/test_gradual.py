from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from prunetune.compress.budget.costs import count_macs
from prunetune.compress.method import Context, Infeasible, Shrinking
from prunetune.compress.methods.channel_pruning.gradual import GradualPruningHook
from prunetune.compress.methods.channel_pruning.method import ChannelPruning
from prunetune.compress.methods.channel_pruning.params import ChannelPruningParams
from prunetune.compress.network.masks import MaskHook
from prunetune.compress.network.rebuild import rebuild
from prunetune.config.recipe import Recipe
from prunetune.records.files import StoredFile
from prunetune.train.checkpoint import CheckpointFile
from prunetune.train.loop import train
from tests.compress.nets import architecture, context, trained
from tests.train.conftest import CPU, SEEDS, splits  # noqa: F401

NETWORK = architecture("resnet14", size=8, widths=(8, 12, 16))
DENSE = trained(NETWORK)
RECIPE = Recipe(batch_size=14, ema=0.5)
STEPS = 5
"""In an epoch of the tiny data set."""
ROUNDS: dict[str, Any] = {"steps": 3, "schedule": "cubic", "gradual": {"epochs": 2}}
CROWLEY: dict[str, Any] = {"gradual": {"epochs": 2, "every": 3, "units": 2}}


def begun(share: float = 0.4, **params: Any) -> tuple[Shrinking, GradualPruningHook, Context]:
    given = context(NETWORK, share, DENSE)
    given.target = type(given.target)(given.target.macs, given.target.dense_macs, 0.06)
    given.epochs, given.steps_per_epoch = 3, STEPS
    found = ChannelPruning(ChannelPruningParams(**params)).run(given)
    assert isinstance(found, Shrinking)
    (hook,) = found.hooks
    assert isinstance(hook, GradualPruningHook)
    return found, hook, given


def trains(found: Shrinking, splits: Any, limit: int = 99, file: Any = None) -> nn.Module:  # noqa: F811
    epochs = train(
        found.model, splits, RECIPE, found.epochs, seeds=SEEDS, device=CPU, hooks=found.hooks,
        checkpoint=file, total=3,
    )  # fmt: skip
    for _, _ in zip(range(limit), epochs, strict=False):
        pass
    return found.model


@pytest.mark.parametrize("criterion", ["magnitude", "random", "fisher_accumulated"])
@pytest.mark.parametrize("params", [ROUNDS, {**CROWLEY, "floor": 0, "scope": "global"}])
def test_the_cut_network_computes_what_the_masked_one_did(
    splits: Any,  # noqa: F811
    criterion: str,
    params: dict[str, Any],
) -> None:
    found, hook, given = begun(criterion=criterion, recalibrate=0, **params)
    before = {name: value.clone() for name, value in DENSE.state_dict().items()}
    model = trains(found, splits)
    compact = found.finish(model)
    assert given.target.lowest <= compact.macs <= given.target.macs
    assert compact.macs == count_macs(compact.model, NETWORK.input_shape)
    assert compact.epochs_used == 2
    again = rebuild(compact.architecture)
    again.load_state_dict(compact.model.state_dict())

    masked = copy.deepcopy(model).double().eval()
    MaskHook(hook.masks(masked)).apply(masked)
    x = torch.randn(5, *NETWORK.input_shape, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(again.double().eval()(x), masked(x), rtol=1e-12, atol=1e-12)
    assert all(torch.equal(before[k], v) for k, v in DENSE.state_dict().items())
    assert not any(len(layer._forward_hooks) for layer in compact.model.modules())


@pytest.mark.parametrize("params", [ROUNDS, CROWLEY])
@pytest.mark.parametrize("criterion", ["random", "fisher_accumulated"])
def test_a_training_that_was_killed_prunes_the_same(
    splits: Any,  # noqa: F811
    tmp_path: Path,
    params: dict[str, Any],
    criterion: str,
) -> None:
    file = CheckpointFile(StoredFile(tmp_path / "c"))
    whole = begun(criterion=criterion, recalibrate=0, **params)[0]
    expected = whole.finish(trains(whole, splits))
    killed = begun(criterion=criterion, recalibrate=0, **params)[0]
    trains(killed, splits, limit=1, file=file)
    for _ in range(2):  # once in the middle, once when all is done
        resumed = begun(criterion=criterion, recalibrate=0, **params)[0]
        found = resumed.finish(trains(resumed, splits, file=file))
        assert found.kept == expected.kept
        assert found.departures == expected.departures
        pairs = zip(
            found.model.state_dict().values(), expected.model.state_dict().values(), strict=True
        )
        assert all(torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("params", [ROUNDS, CROWLEY])
def test_without_anything_to_remove_it_is_plain_training(
    splits: Any,  # noqa: F811
    params: dict[str, Any],
) -> None:
    found, _, _ = begun(share=1.0, criterion="fisher_accumulated", **params)
    plain = Shrinking(copy.deepcopy(DENSE), 2, (), found.finish)
    pairs = zip(
        trains(found, splits).state_dict().values(),
        trains(plain, splits).state_dict().values(),
        strict=True,
    )
    assert all(torch.equal(a, b) for a, b in pairs)


class Watch(GradualPruningHook):
    """Notes the MACs and the number of units after every step."""

    def after_step(self, model: nn.Module, step: int) -> None:
        super().after_step(model, step)
        seen.append((step + 1, self.state.macs, sum(self.state.widths)))


seen: list[tuple[int, int, int]] = []


@pytest.mark.parametrize("params", [ROUNDS, CROWLEY])
def test_units_are_removed_by_the_timetable(splits: Any, params: dict[str, Any]) -> None:  # noqa: F811
    found, hook, given = begun(recalibrate=0, **params)
    hook.__class__ = Watch
    seen.clear()
    dense = sum(hook.state.widths)
    trains(found, splits)
    assert [step for step, _, _ in seen] == list(range(1, 2 * STEPS + 1))
    macs = [m for _, m, _ in seen]
    assert macs == sorted(macs, reverse=True)
    assert given.target.lowest <= macs[-1] <= given.target.macs
    changes = [1, *(i + 1 for i in range(1, len(macs)) if macs[i] < macs[i - 1])]
    if params is ROUNDS:
        assert changes == [1, 3, 7, 10]  # after thirds of ten steps
    else:
        assert changes == [1, 3, 6, 9, 10]  # and at the end whatever is left
        assert [dense - seen[step - 1][2] for step in (2, 3, 6, 9)] == [0, 2, 4, 6]


def test_gradual_pruning_takes_at_most_the_trials_epochs_and_needs_one() -> None:
    found, _, given = begun(gradual={"epochs": 9}, steps=2)
    assert found.epochs == 3
    given.epochs = 0
    at_once = ChannelPruning(ChannelPruningParams(gradual={"epochs": 9}, steps=2)).run(given)  # type: ignore[arg-type]
    assert not isinstance(at_once, Shrinking)


def test_a_budget_that_no_scores_can_meet_is_infeasible_before_training() -> None:
    with pytest.raises(Infeasible, match="smallest network"):
        begun(share=0.001, **ROUNDS)
