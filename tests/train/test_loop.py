from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from prunetune.config.parts import Named
from prunetune.config.recipe import Recipe
from prunetune.records.files import StoredFile
from prunetune.records.record import Epoch
from prunetune.registry import optimizers, schedules
from prunetune.train.checkpoint import CheckpointError, CheckpointFile
from prunetune.train.evaluate import evaluate
from prunetune.train.loop import Diverged, train
from tests.train.conftest import CPU, SEEDS, TinySplit, TinySplits, tiny_network

EVERYTHING = Recipe(
    batch_size=16, label_smoothing=0.1, mixup=0.3, cutmix=1.0, grad_clip=1.0, ema=0.9
)
RECIPES = {
    "plain": Recipe(batch_size=16),
    "everything, sgd": EVERYTHING,
    "everything, adamw": EVERYTHING.model_copy(
        update={"optimizer": Named(name="adamw"), "schedule": Named(name="one_cycle")}
    ),
}


class NoOp:
    def after_backward(self, model: nn.Module, step: int) -> None: ...

    def after_step(self, model: nn.Module, step: int) -> None: ...

    def after_epoch(self, model: nn.Module, epoch: int) -> None: ...


class Log(NoOp):
    def __init__(self) -> None:
        self.calls: list[tuple[str, int]] = []

    def after_backward(self, model: nn.Module, step: int) -> None:
        assert all(p.grad is not None for p in model.parameters())
        self.calls.append(("backward", step))

    def after_step(self, model: nn.Module, step: int) -> None:
        self.calls.append(("step", step))

    def after_epoch(self, model: nn.Module, epoch: int) -> None:
        self.calls.append(("epoch", epoch))


def run(
    splits: TinySplits, recipe: Recipe, epochs: int = 3, **more: Any
) -> tuple[Any, list[Epoch]]:
    model = tiny_network()
    curve = list(train(model, splits, recipe, epochs, seeds=SEEDS, device=CPU, **more))
    return model.state_dict(), curve


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


def without_time(curve: list[Epoch]) -> list[Epoch]:
    return [replace(epoch, seconds=0.0) for epoch in curve]


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("stop_after", [1, 2, 3])
def test_resuming_gives_the_bits_of_a_training_that_was_never_interrupted(
    splits: TinySplits, tmp_path: Path, name: str, stop_after: int
) -> None:
    recipe, file = RECIPES[name], CheckpointFile(StoredFile(tmp_path / "checkpoint.safetensors"))
    whole = CheckpointFile(StoredFile(tmp_path / "whole.safetensors"))
    weights, curve = run(splits, recipe, checkpoint=whole)

    interrupted = train(tiny_network(), splits, recipe, 3, seeds=SEEDS, device=CPU, checkpoint=file)
    for _ in range(stop_after):
        next(interrupted)
    torch.manual_seed(99)  # another process has another global generator
    resumed_weights, rest = run(splits, recipe, checkpoint=file)

    assert same(weights, resumed_weights)
    assert len(rest) == 3 - stop_after
    assert without_time(file.curve()) == without_time(curve)
    best, resumed_best = whole.best(), file.best()
    assert best is not None
    assert resumed_best is not None
    assert best[0] == resumed_best[0]
    assert same(best[1], resumed_best[1])


@pytest.mark.parametrize("schedule", schedules.names())
@pytest.mark.parametrize("optimizer", optimizers.names())
def test_every_optimizer_learns_under_every_schedule(
    splits: TinySplits, optimizer: str, schedule: str
) -> None:
    lr = {"sgd": 0.05, "adamw": 0.01}.get(optimizer)
    named = Named(name=optimizer, params={"lr": lr} if lr else {})
    recipe = Recipe(optimizer=named, schedule=Named(name=schedule), batch_size=10)
    _, curve = run(splits, recipe, epochs=10)
    assert curve[-1].train_loss < 0.75 * curve[0].train_loss
    assert curve[-1].val_acc1 > 0.5


@pytest.mark.parametrize(
    "recipe", [RECIPES["plain"].model_copy(update={"grad_clip": 1e9})], ids=["clip"]
)
def test_features_without_strength_change_no_bit(splits: TinySplits, recipe: Recipe) -> None:
    plain, _ = run(splits, RECIPES["plain"])
    weights, _ = run(splits, recipe, hooks=[NoOp(), NoOp()], before_epoch=lambda _: None)
    assert same(plain, weights)


@pytest.mark.parametrize("field", ["label_smoothing", "mixup", "cutmix", "grad_clip", "ema"])
def test_features_with_strength_change_the_result(splits: TinySplits, field: str) -> None:
    plain, _ = run(splits, RECIPES["plain"])
    strong, _ = run(splits, RECIPES["plain"].model_copy(update={field: 0.1}))
    assert not same(plain, strong)


def test_results_depend_on_the_seeds_alone(splits: TinySplits) -> None:
    torch.manual_seed(1)
    first, _ = run(splits, EVERYTHING)
    torch.manual_seed(2)
    again, _ = run(splits, EVERYTHING)
    assert same(first, again)
    other = tiny_network()
    list(train(other, splits, EVERYTHING, 3, seeds={**SEEDS, "order": 5}, device=CPU))
    assert not same(first, other.state_dict())


def test_training_leaves_the_global_generator_alone(splits: TinySplits) -> None:
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    run(splits, EVERYTHING)
    assert torch.equal(torch.rand(1), expected)


def test_hooks_are_called_in_order_with_steps_from_zero(splits: TinySplits) -> None:
    log, begun = Log(), []
    run(splits, Recipe(batch_size=30), epochs=2, hooks=[log], before_epoch=begun.append)
    steps = [[("backward", s), ("step", s)] for s in range(4)]
    assert log.calls == [*steps[0], *steps[1], ("epoch", 1), *steps[2], *steps[3], ("epoch", 2)]
    assert begun == [1, 2]


def test_the_final_weights_are_those_validated_last(splits: TinySplits) -> None:
    model = tiny_network()
    for recipe in (RECIPES["plain"], EVERYTHING):
        curve = list(train(model, splits, recipe, 2, seeds=SEEDS, device=CPU))
        evaluation = evaluate(model, splits.val.batches(7), CPU)
        assert evaluation.acc1 == curve[-1].val_acc1
        assert evaluation.loss == pytest.approx(curve[-1].val_loss, abs=1e-6)


def test_best_weights_are_those_of_the_best_epoch(splits: TinySplits, tmp_path: Path) -> None:
    file = CheckpointFile(StoredFile(tmp_path / "c"))
    recipe = Recipe(batch_size=16, optimizer=Named(name="sgd", params={"lr": 0.5}))
    _, curve = run(splits, recipe, epochs=8, checkpoint=file)
    best = file.best()
    assert best is not None
    epoch, weights = best
    assert curve[epoch - 1].val_acc1 == max(e.val_acc1 for e in curve)
    model = tiny_network()
    model.load_state_dict(weights)
    evaluation = evaluate(model, splits.val.batches(30), CPU)
    assert evaluation.acc1 == curve[epoch - 1].val_acc1
    assert evaluation.loss == pytest.approx(curve[epoch - 1].val_loss, abs=1e-6)


def test_no_epochs_leave_the_network_as_it_is(splits: TinySplits) -> None:
    weights, curve = run(splits, EVERYTHING, epochs=0)
    assert curve == []
    assert same(weights, tiny_network().state_dict())


def test_a_split_smaller_than_a_batch_is_one_step(splits: TinySplits) -> None:
    small = replace(splits, train=TinySplit(splits.train.x[:9], splits.train.y[:9]))
    log = Log()
    run(small, Recipe(batch_size=16), epochs=1, hooks=[log])
    assert log.calls == [("backward", 0), ("step", 0), ("epoch", 1)]


def test_a_loss_that_is_not_finite_ends_the_epoch_as_diverged(
    splits: TinySplits, tmp_path: Path
) -> None:
    recipe = Recipe(
        batch_size=16,
        optimizer=Named(name="sgd", params={"lr": 1e30}),
        schedule=Named(name="constant"),
    )
    file = CheckpointFile(StoredFile(tmp_path / "c"))
    with pytest.raises(Diverged, match="epoch 1"):
        run(splits, recipe, checkpoint=file)
    assert file.read() is None


def test_the_learning_rate_of_an_epoch_is_that_of_its_last_step(splits: TinySplits) -> None:
    recipe = Recipe(
        batch_size=35,
        optimizer=Named(name="sgd", params={"lr": 0.2}),
        schedule=Named(name="multistep", params={"milestones": [0.25, 0.5]}),
    )
    _, curve = run(splits, recipe, epochs=2)  # four steps: 0.2, 0.02, 0.002, 0.002
    assert [e.lr for e in curve] == pytest.approx([0.02, 0.002])


class Averaging(NoOp):
    """Moves the first weight towards the mean of its values before every step so far."""

    def __init__(self) -> None:
        self.sum, self.count = torch.zeros(8, 3, 3, 3), torch.zeros((), dtype=torch.int64)
        self.begun = 0

    def begin(self, model: nn.Module) -> None:
        self.begun += 1

    def after_step(self, model: nn.Module, step: int) -> None:
        weight = model.get_parameter("0.weight").detach()
        self.sum = self.sum + weight
        self.count = self.count + 1
        weight.lerp_(self.sum / self.count, 0.5)

    def state_dict(self) -> dict[str, torch.Tensor]:
        return {"sum": self.sum, "count.of.steps": self.count}

    def load_state_dict(self, state: Any) -> None:
        if state:
            self.sum, self.count = state["sum"], state["count.of.steps"]


@pytest.mark.parametrize("stop_after", [1, 2])
def test_the_state_of_a_hook_comes_back_with_the_checkpoint(
    splits: TinySplits, tmp_path: Path, stop_after: int
) -> None:
    file, whole = CheckpointFile(StoredFile(tmp_path / "checkpoint")), Averaging()
    weights, _ = run(splits, EVERYTHING, hooks=[NoOp(), whole])
    stopped = train(
        tiny_network(), splits, EVERYTHING, 3, seeds=SEEDS, device=CPU, checkpoint=file,
        hooks=[NoOp(), Averaging()],
    )  # fmt: skip
    for _ in range(stop_after):
        next(stopped)
    resumed = Averaging()
    again, _ = run(splits, EVERYTHING, hooks=[NoOp(), resumed], checkpoint=file)
    assert same(weights, again)
    assert same(whole.state_dict(), resumed.state_dict())
    assert whole.begun == resumed.begun == 1
    assert not same(weights, run(splits, EVERYTHING)[0])
    with pytest.raises(CheckpointError, match="another network"):
        run(splits, EVERYTHING, hooks=[resumed, NoOp()], checkpoint=file)


def test_the_second_part_of_a_training_goes_on_where_the_first_ended(splits: TinySplits) -> None:
    plain = Recipe(batch_size=16, optimizer=Named(name="sgd", params={"momentum": 0.0}))
    weights, curve = run(splits, plain, epochs=5)
    model, parts = tiny_network(), []
    for first, epochs in ((1, 2), (3, 3)):
        parts += train(model, splits, plain, epochs, seeds=SEEDS, device=CPU, first=first, total=5)
    assert without_time(parts) == without_time(curve)
    assert same(weights, model.state_dict())


def test_a_checkpoint_knows_which_part_of_a_training_it_is_of(
    splits: TinySplits, tmp_path: Path
) -> None:
    file = CheckpointFile(StoredFile(tmp_path / "c"))
    run(splits, RECIPES["plain"], epochs=2, checkpoint=file, first=2, total=4)
    assert [e.epoch for e in file.curve()] == [2, 3]
    with pytest.raises(CheckpointError, match="its first is 2, here it is None"):
        run(splits, RECIPES["plain"], epochs=2, checkpoint=file)
