from __future__ import annotations

from fractions import Fraction
from itertools import product
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from prunetune.compress.budget.costs import count_macs
from prunetune.compress.budget.counting import count_by_module
from prunetune.compress.method import CompactModel, Context, Infeasible, Shrinking, Target
from prunetune.compress.methods.weight_pruning.method import WeightPruning, WeightPruningParams
from prunetune.compress.methods.weight_pruning.threshold import PrunableWeights, Quota, kept_weights
from prunetune.config.recipe import Recipe
from prunetune.records.files import StoredFile
from prunetune.train.checkpoint import CheckpointFile
from prunetune.train.loop import train
from tests.compress.nets import TOLERANCE, architecture, context, trained
from tests.train.conftest import CPU, SEEDS, splits  # noqa: F401

R14 = architecture("resnet14", 8, widths=(4, 8, 16))
MODEL = trained(R14)
DENSE = context(R14, 1.0, MODEL).target.macs


def given(share: float = 1.0, sparsity: str | None = None, epochs: int = 0) -> Context:
    made = context(R14, share, MODEL)
    exact = None if sparsity is None else Fraction(sparsity)
    made.target = Target(int(DENSE * share), DENSE, TOLERANCE, exact)
    made.epochs, made.steps_per_epoch = epochs, 8
    return made


def pruned(made: Context, **params: Any) -> CompactModel:
    found = WeightPruning(WeightPruningParams(**params)).run(made)
    assert isinstance(found, CompactModel)
    return found


def layers(model: nn.Module) -> dict[str, Tensor]:
    found = {n: m for n, m in model.named_modules() if isinstance(m, nn.Conv2d | nn.Linear)}
    return {name: layer.weight for name, layer in found.items()}


def nonzero_macs(model: nn.Module) -> int:
    """Each nonzero weight times the positions of its layer's output, counted the long way."""
    positions: dict[str, int] = {}
    named = {module: name for name, module in model.named_modules()}

    def note(layer: nn.Module, _: Any, output: Tensor) -> None:
        positions[named[layer]] = output[0, 0].numel() if output.dim() == 4 else 1

    hooks = [m.register_forward_hook(note) for m in model.modules()
             if isinstance(m, nn.Conv2d | nn.Linear)]  # fmt: skip
    with torch.no_grad():
        model.eval()(torch.zeros(1, *R14.input_shape))
    for hook in hooks:
        hook.remove()
    weights = layers(model)
    return sum(int(w.count_nonzero()) * positions[name] for name, w in weights.items())


@pytest.mark.parametrize("sparsity", ["0.5", "0.9", "0.995"])
@pytest.mark.parametrize("minimum", [0, 20, 100])
def test_the_total_is_exact_and_every_layer_keeps_its_minimum(sparsity: str, minimum: int) -> None:
    made = given(sparsity=sparsity)
    total = sum(w.numel() for w in layers(MODEL).values())
    kept = round((1 - Fraction(sparsity)) * total)
    floors = {name: min(minimum, w.numel()) for name, w in layers(MODEL).items()}
    if sum(floors.values()) > kept:
        with pytest.raises(Infeasible, match=f"at least {minimum} weights in each layer"):
            pruned(made, minimum=minimum)
        return
    found = pruned(made, minimum=minimum)
    n_kept = {name: int(w.count_nonzero()) for name, w in layers(found.model).items()}
    assert sum(n_kept.values()) == kept == found.departures["weights"]
    assert all(n_kept[name] >= floor for name, floor in floors.items())
    assert found.macs == nonzero_macs(found.model)
    assert found.params == sum(p.numel() for p in MODEL.parameters()) - total + kept
    assert (found.cost, found.architecture) == (DENSE, R14)


def test_no_minimum_is_one_threshold_over_all_weights() -> None:
    found = pruned(given(sparsity="0.9"))
    before, after = layers(MODEL), layers(found.model)
    removed = torch.cat([before[n][after[n] == 0].abs() for n in before])
    kept = torch.cat([before[n][after[n] != 0].abs() for n in before])
    assert removed.max() <= kept.min()
    assert all(torch.equal(after[n][after[n] != 0], before[n][after[n] != 0]) for n in before)


@pytest.mark.parametrize("minimum", [10, 40])
def test_a_minimum_raises_poor_layers_and_the_others_keep_one_threshold(minimum: int) -> None:
    before, after = layers(MODEL), layers(pruned(given(sparsity="0.9"), minimum=minimum).model)
    plain = layers(pruned(given(sparsity="0.9")).model)
    rich = [n for n in before if after[n].count_nonzero() > minimum]
    poor = [n for n in before if after[n].count_nonzero() == minimum]
    assert rich
    removed = torch.cat([before[n][after[n] == 0].abs() for n in rich])
    kept = torch.cat([before[n][after[n] != 0].abs() for n in rich])
    assert removed.max() <= kept.min()
    for name in poor:
        assert plain[name].count_nonzero() <= minimum
        best = before[name].abs().flatten().sort().values[-minimum:]
        assert torch.equal(after[name].abs().flatten().sort().values[-minimum:], best)


@pytest.mark.parametrize("share", [0.8, 0.5, 0.1, 0.02])
def test_a_budget_in_macs_is_met_by_the_weights_that_are_left(share: float) -> None:
    made = given(share)
    found = pruned(made, minimum=3)
    assert made.target.lowest <= found.macs <= made.target.macs
    assert found.macs == nonzero_macs(found.model)


def brute_force(
    values: Tensor, tiny: PrunableWeights, quota: int, minimum: int
) -> set[tuple[int, ...]]:
    """The sets of weights of largest total magnitude among those that the rules allow."""
    best, found = -1.0, set()
    for bits in product((0, 1), repeat=len(values)):
        n_kept, at = [], 0
        for size in tiny.sizes:
            n_kept.append(sum(bits[at : at + size]))
            at += size
        floors = [min(minimum, size) for size in tiny.sizes]
        if sum(bits) != quota or any(a < b for a, b in zip(n_kept, floors, strict=True)):
            continue
        worth = float(values[torch.tensor(bits, dtype=torch.bool)].sum())
        if worth > best + 1e-9:
            best, found = worth, set()
        if worth > best - 1e-9:
            found.add(bits)
    return found


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("minimum", [0, 1, 2, 3])
def test_on_a_tiny_network_it_is_the_best_that_the_rules_allow(seed: int, minimum: int) -> None:
    tiny = PrunableWeights(("a", "b", "c"), (3, 2, 4), (9, 1, 3))
    values = torch.rand(9, generator=torch.Generator().manual_seed(seed))
    for quota in range(sum(min(minimum, size) for size in tiny.sizes), 10):
        found = kept_weights(values, tiny, Quota("weights", quota, quota), minimum)
        assert tuple(found.int().tolist()) in brute_force(values, tiny, quota, minimum)


def test_weights_that_are_too_coarse_report_the_nearest_macs() -> None:
    tiny = PrunableWeights(("a",), (4,), (10,))
    with pytest.raises(Infeasible, match="too coarse") as miss:
        kept_weights(torch.rand(4), tiny, Quota("macs", 25, 21), 0)
    assert miss.value.nearest_macs == 20
    mixed = PrunableWeights(("a", "b"), (4, 4), (10, 1))
    values = torch.tensor([1.0, 2.0, 3.0, 4.0, 0.1, 0.2, 0.3, 0.4])
    found = kept_weights(values, mixed, Quota("macs", 33, 32.5), 0)
    costs = mixed.per_weight(mixed.costs, values)
    assert int(costs[found].sum()) == 33


def test_masked_weights_never_come_back_however_large() -> None:
    tiny = PrunableWeights(("a",), (6,), (1,))
    unmasked = torch.tensor([True, False, True, True, True, True])
    values = torch.tensor([0.1, 9.0, 0.2, 0.3, 0.4, 0.5])
    fewer, same = (kept_weights(values, tiny, Quota("weights", n, n), 0, unmasked) for n in (3, 6))
    assert fewer.tolist() == [False, False, False, True, True, True]
    assert same.tolist() == unmasked.tolist()


def test_masks_are_known_by_name_in_whatever_order_a_checkpoint_gives_them() -> None:
    tiny = PrunableWeights(("b", "a"), (2, 1), (1, 1))
    given = {"a": torch.tensor([3.0]), "b": torch.tensor([1.0, 2.0])}
    assert tiny.flat(given).tolist() == [1.0, 2.0, 3.0]


def test_reach_is_what_the_minima_allow() -> None:
    method = WeightPruning(WeightPruningParams(minimum=50))
    givens = [given(sparsity="0.5"), given(sparsity="0.999"), given(0.5), given(0.001)]
    for made, promise in zip(givens, method.reach(R14, [g.target for g in givens]), strict=True):
        if promise.within:
            assert pruned(made, minimum=50).macs >= promise.smallest_macs
        else:
            with pytest.raises(Infeasible) as miss:
                method.run(made)
            assert miss.value.nearest_macs == promise.nearest_macs == promise.smallest_macs


def test_the_dense_network_is_left_alone_and_every_prunable_weight_is_used() -> None:
    before = {name: value.clone() for name, value in MODEL.state_dict().items()}
    pruned(given(sparsity="0.9"))
    assert all(torch.equal(before[k], v) for k, v in MODEL.state_dict().items())
    assert len(PrunableWeights.of(MODEL, R14.input_shape).names) == len(layers(MODEL))
    assert PrunableWeights.of(MODEL, R14.input_shape).macs == DENSE
    assert count_by_module(MODEL, R14.input_shape).layers.keys() == layers(MODEL).keys()


def gradually(made: Context, every: int, splits: Any, file: Any, stop: int = 9) -> list[Any]:  # noqa: F811
    """[masks after each epoch, the finished network] of a training that shrinks for two epochs."""
    params = WeightPruningParams.model_validate({"gradual": {"epochs": 2, "every": every}})
    found = WeightPruning(params).run(made)
    assert isinstance(found, Shrinking)
    recipe, hook, seen = Recipe(batch_size=8, ema=0.9), found.hooks[0], []
    checkpoint = CheckpointFile(StoredFile(file))
    epochs = train(found.model, splits, recipe, found.epochs, seeds=SEEDS, device=CPU,
                   hooks=found.hooks, checkpoint=checkpoint, total=3)  # fmt: skip
    for epoch in epochs:
        seen.append({name: mask.clone() for name, mask in hook.masks.items()})  # type: ignore[attr-defined]
        if epoch.epoch == stop:
            return seen
    return [*seen, found.finish(found.model)]


@pytest.mark.parametrize("budget", [{"sparsity": "0.9"}, {"share": 0.2}])
def test_along_training_masks_only_shrink_and_end_at_the_budget(
    budget: Any,
    splits: Any,  # noqa: F811
    tmp_path: Any,
) -> None:
    made = given(**budget, epochs=3)
    first, second, found = gradually(made, 3, splits, tmp_path / "whole")
    if "sparsity" in budget:  # cubic: what the last round of the first epoch has kept
        steps = made.steps_per_epoch
        share = 1 - (1 - steps // 3 * 3 / (2 * steps)) ** 3
        unmasked = sum(int(mask.sum()) for mask in first.values())
        assert unmasked == pytest.approx(
            (1 - 0.9 * share) * PrunableWeights.of(MODEL, R14.input_shape).total, abs=1
        )
    for name in first:
        assert not (second[name] & ~first[name]).any()
        assert not found.model.get_parameter(name)[~second[name]].any()
    n_kept = sum(int(w.count_nonzero()) for w in layers(found.model).values())
    if "sparsity" in budget:
        assert n_kept == round(PrunableWeights.of(MODEL, R14.input_shape).total / Fraction(10))
    else:
        assert made.target.lowest <= found.macs <= made.target.macs
    assert sum(int(mask.sum()) for mask in second.values()) > n_kept
    assert (found.epochs_used, found.macs) == (2, nonzero_macs(found.model))

    gradually(made, 3, splits, tmp_path / "broken", stop=1)
    *_, again = gradually(made, 3, splits, tmp_path / "broken")
    for a, b in zip(found.model.state_dict().values(), again.model.state_dict().values(),
                    strict=True):  # fmt: skip
        assert torch.equal(a, b)


def test_the_schedule_removes_most_weights_early() -> None:
    target, tiny = Target(1, 1, TOLERANCE, Fraction("0.9")), PrunableWeights(("a",), (1000,), (1,))
    n_kept = [Quota.of(target, tiny, 1 - (1 - t / 4) ** 3).at_most for t in range(5)]
    assert n_kept == [1000, 480, 212, 114, 100]


@pytest.mark.slow
def test_the_products_of_attention_stay_whatever_weights_go() -> None:
    network = architecture("vit_tiny", patch=4)
    model = trained(network)
    prunable, dense = PrunableWeights.of(model, network.input_shape), count_macs(model, (3, 32, 32))
    assert prunable.macs == dense
    assert prunable.fixed_macs == prunable.least(0)[1] == 12 * 2 * 65**2 * 192
    target = Target(dense // 4, dense, TOLERANCE)
    magnitudes = prunable.flat(dict(model.named_parameters())).abs()
    kept = kept_weights(magnitudes, prunable, Quota.of(target, prunable), minimum=1)
    assert target.lowest <= prunable.macs_of(kept) <= target.macs
    with pytest.raises(Infeasible):
        kept_weights(
            magnitudes, prunable, Quota("macs", prunable.fixed_macs, prunable.fixed_macs), minimum=1
        )
