"""Sparsified networks: trials share them; they are computed once and inherited in full."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
import torch

from prunetune.analysis.evidence.ledger import ledger
from prunetune.config.parts import Named
from prunetune.models.pretrained import load_state
from prunetune.records.record import Record, TrialSpec, training_macs
from prunetune.records.record_builder import RecordBuilder
from prunetune.records.store import Store
from prunetune.trial import run_trial, sparse
from prunetune.workload import Workload

KS = 2
WORKLOAD = Workload(
    Named(name="resnet14"), Named(name="digits", params={"train_limit": 192}), seed=0
)
CONFIG = {
    "recipe.optimizer": "sgd",
    "recipe.optimizer.sgd.lr": 0.05,
    "recipe.batch_size": 64,
    "method.criterion": "magnitude",
    "method.recalibrate": 0,
    "method.sparsify.regularizer": "growing_reg",
    "method.sparsify.regularizer.growing_reg.strength": 0.01,
    "method.sparsify.recipe.weight_decay": 0.0,
    "method.sparsify.recipe.batch_size": 64,
}
DENSE_MACS_TRAINED = 1000


def trial(key: str, seed: int = 0, config: dict | None = None, **fields: object) -> TrialSpec:
    common = {
        "key": key, "sweep": "s", "phase": "search", "study": "pruned@0.5", "arm": "pruned",
        "method": "channel_pruning", "budget": 0.5, "number": seed, "seed": seed,
        "workload": WORKLOAD.to_json(), "dense_macs": WORKLOAD.macs,
        "dense_params": WORKLOAD.n_params, "target_macs": WORKLOAD.macs // 2, "tolerance": 0.005,
        "epochs": 1, "sparsify_epochs": KS, "config": {**CONFIG, **(config or {})},
        "inputs": {"dense": "dense0"}, "inherited_macs": DENSE_MACS_TRAINED,
    }  # fmt: skip
    return TrialSpec.model_validate({**common, **fields})


def run(spec: TrialSpec, store: Store) -> Record:
    store.write_trial(spec)
    builder = RecordBuilder(spec)
    for report in run_trial(spec, store, device="cpu"):
        builder.add(report)
    record = builder.record()
    store.write_record(record)
    return record


def with_dense(folder: Path) -> Store:
    store = Store(folder, "s")
    dense = {"phase": "dense", "method": None, "budget": None, "study": None, "arm": None}
    facts = {**dense, "number": None, "target_macs": WORKLOAD.macs, "sparsify_epochs": 0}
    assert run(trial("dense0", inputs={}, inherited_macs=0, **facts), store).status == "completed"
    return store


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return with_dense(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def first(store: Store) -> Record:
    return run(trial("first"), store)


def images() -> tuple[int, int]:
    splits = WORKLOAD.open(torch.device("cpu"), download=False)
    return len(splits.train), len(splits.val)


def sparsifying_macs(epochs: int) -> int:
    """MACs spent on sparsifying: training and validation."""
    train, val = images()
    return training_macs(WORKLOAD.macs, train, epochs) + WORKLOAD.macs * val * epochs


def after_sparsifying(record: Record) -> int:
    """MACs spent on the rest of the trial: scoring, training, validation before and after it."""
    train, val = images()
    assert record.macs is not None
    return training_macs(record.macs, train) + record.train_macs.score + 2 * record.macs * val


def test_the_first_trial_spends_it_and_all_trials_inherit_it(store: Store, first: Record):
    second = run(trial("second", seed=7), store)
    assert first.sparsified == second.sparsified is not None
    assert first.train_macs.spent == sparsifying_macs(KS) + after_sparsifying(first)
    assert second.train_macs.spent == after_sparsifying(second)
    for record in (first, second):
        macs = record.train_macs
        assert (macs.sparsify, macs.inherited) == (0, DENSE_MACS_TRAINED)
        assert macs.total == macs.inherited + macs.score + macs.train
    both = ledger([first, second], ["pruned"])
    rest = after_sparsifying(first) + after_sparsifying(second)
    assert both.spent_macs == sparsifying_macs(KS) + rest


def test_it_differs_from_the_dense_network_and_leaves_no_checkpoint(store: Store, first: Record):
    assert first.sparsified is not None
    folder = store.sparse_folder(first.sparsified)
    names = {path.name for path in folder.path.iterdir()}
    assert names == {".owner", "weights.safetensors", "record.json"}
    record = sparse.SparseRecord.model_validate_json(folder.record.read())
    assert (record.trial, record.epochs, len(record.curve)) == ("first", KS, KS)
    assert record.recipe.weight_decay == 0.0
    assert record.recipe.batch_size == 64
    assert record.train_macs == training_macs(WORKLOAD.macs, images()[0], KS)
    dense = load_state(store.dense_folder("dense0").weights.path)
    weights = load_state(folder.weights.path)
    assert not torch.equal(dense["conv1.weight"], weights["conv1.weight"])


@pytest.mark.parametrize(
    ("config", "fields", "same"),
    [
        ({"method.criterion": "random"}, {"seed": 3}, True),
        ({"recipe.optimizer.sgd.lr": 0.06}, {}, True),  # the recipe after sparsifying
        ({"method.sparsify.regularizer.growing_reg.growth": 1.0}, {}, True),  # the default
        ({"method.sparsify.recipe.weight_decay": 0.001}, {}, False),
        ({"method.sparsify.regularizer.growing_reg.strength": 0.02}, {}, False),
        ({}, {"sparsify_epochs": 1}, False),
        ({}, {"inputs": {"dense": "other"}}, False),
    ],
    ids=str,
)
def test_trials_share_it_exactly_if_its_inputs_agree(
    store: Store, first: Record, config: dict, fields: dict, same: bool,
    monkeypatch: pytest.MonkeyPatch,
):  # fmt: skip
    made = []

    def make(self: object, key: str, *_: object) -> None:
        made.append(key)
        raise RuntimeError("would be computed")

    monkeypatch.setattr(sparse.Sparsifier, "_make", make)
    other, folder = Store(store.storage, "s"), store.dense_folder("dense0")
    monkeypatch.setattr(Store, "dense_folder", lambda *_: folder)
    spec = trial("asks", config=config, **fields)
    if same:
        assert next(iter(run_trial(spec, other, device="cpu")))["sparsified"] == first.sparsified
        assert made == []
    else:
        with pytest.raises(RuntimeError, match="would be computed"):
            next(iter(run_trial(spec, other, device="cpu")))
        assert made != [first.sparsified]


def test_the_next_trial_goes_on_for_a_dead_one_and_no_epoch_is_spent_twice(
    store: Store, first: Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    own = with_dense(tmp_path)
    dying = sparse.train

    def dies(*args: object, **kwargs: object):
        yield next(dying(*args, **kwargs))
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(sparse, "train", dies)
        with pytest.raises(KeyboardInterrupt):
            run(trial("dies"), own)
    assert first.sparsified is not None
    folder = own.sparse_folder(first.sparsified)
    assert not folder.record.exists()
    taker = run(trial("takes", seed=7), own)
    assert taker.train_macs.spent == sparsifying_macs(KS - 1) + after_sparsifying(taker)
    back = run(trial("dies"), own)
    assert back.train_macs.spent == sparsifying_macs(1) + after_sparsifying(back)
    whole = store.sparse_folder(first.sparsified).weights
    assert folder.weights.read() == whole.read()
    assert back.val_acc1 == first.val_acc1


def test_a_trial_that_waited_uses_the_finished_network(
    store: Store, first: Record, monkeypatch: pytest.MonkeyPatch
):
    assert first.sparsified is not None
    folder = store.sparse_folder(first.sparsified)
    hidden = folder.path / "hidden"
    folder.record.path.rename(hidden)
    monkeypatch.setattr(sparse.Sparsifier, "_make", lambda *_: pytest.fail("computed twice"))
    records: list[Record] = []
    waiter = threading.Thread(target=lambda: records.append(run(trial("waits", seed=8), store)))
    with folder.lock():
        waiter.start()
        waiter.join(timeout=1.0)
        assert not records
        hidden.rename(folder.record.path)
    waiter.join(timeout=120)
    assert records[0].sparsified == first.sparsified


def test_without_a_regularizer_the_dense_network_is_pruned(store: Store):
    plain = {k: v for k, v in CONFIG.items() if not k.startswith("method.sparsify")}
    spec = trial("plain", config=None, sparsify_epochs=0).model_copy(update={"config": plain})
    record = run(spec, store)
    none = spec.model_copy(
        update={"key": "none", "config": {**plain, "method.sparsify.regularizer": None}}
    )
    assert record.sparsified is None
    assert run(none, store).val_acc1 == record.val_acc1
