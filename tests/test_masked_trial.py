"""Trials that mask single weights: their cost, which weights stay zero, how they resume."""

from __future__ import annotations

from fractions import Fraction

import pytest

from prunetune.compress.methods.weight_pruning.threshold import PrunableWeights
from prunetune.compress.network.rebuild import rebuild
from prunetune.models.pretrained import load_state
from prunetune.records.record import TrialSpec, training_macs
from prunetune.records.store import Store
from tests.test_trial import SGD, WORKLOAD, facts, open_splits, pruned, run, store  # noqa: F401

METHODS = {
    "one shot": {"method.minimum": 5},
    "gradual": {"method.gradual.epochs": 1, "method.gradual.every": 1, "recipe.ema": 0.5},
}


def masked(key: str, how: str) -> TrialSpec:
    update = {"budget": "sparsity=0.9", "target_macs": WORKLOAD.macs, "method": "weight_pruning",
              "config": {**SGD, **METHODS[how]}, "study": "masked@sparsity=0.9"}  # fmt: skip
    return pruned(key, phase="confirm", arm="masked").model_copy(update=update)


@pytest.mark.parametrize("how", METHODS)
def test_masks_hold_to_the_end_and_training_costs_dense_macs(store: Store, how: str):  # noqa: F811
    record = run(masked(f"masked-{how.replace(' ', '-')}", how), store)
    assert record.status == "completed"
    model = rebuild(record.architecture)
    model.load_state_dict(load_state(store.trial_folder(record.key).weights.path))
    prunable = PrunableWeights.of(model, WORKLOAD.info.shape)
    kept = [int(model.get_parameter(name).count_nonzero()) for name in prunable.names]
    assert sum(kept) == round(prunable.total / Fraction(10)) == record.departures["weights"]
    assert record.macs == sum(n * cost for n, cost in zip(kept, prunable.costs, strict=True))
    assert record.params == record.dense_params - prunable.total + sum(kept)
    images = len(open_splits().train)
    assert record.train_macs.train == training_macs(record.dense_macs, images, epochs=2)
    assert len(record.curve) == 2


@pytest.mark.parametrize("reports", [1, 2])
def test_a_masked_trial_resumes_bit_for_bit(store: Store, reports: int):  # noqa: F811
    whole = run(masked(f"whole-masked-{reports}", "gradual"), store)
    trial = masked(f"broken-masked-{reports}", "gradual")
    run(trial, store, limit=reports)
    resumed = run(trial, store)
    same = ("key", "test_outputs")
    assert {k: v for k, v in facts(resumed).items() if k not in same} == {
        k: v for k, v in facts(whole).items() if k not in same
    }
    files = [store.trial_folder(r.key).weights for r in (whole, resumed)]
    assert files[0].read() == files[1].read()
