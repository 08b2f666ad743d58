"""One trial, without Ray: its reports, its costs, how it resumes, how it ends."""

import json
from dataclasses import replace
from itertools import islice
from pathlib import Path
from unittest.mock import Mock

import pytest
import torch

from prunetune.compress.network.rebuild import rebuild
from prunetune.config.parts import Named
from prunetune.config.recipe import images_per_epoch
from prunetune.models.pretrained import load_state
from prunetune.records.record import Record, TrialSpec, training_macs
from prunetune.records.record_builder import RecordBuilder
from prunetune.records.store import Store
from prunetune.trial import run_trial
from prunetune.trial.outputs import save
from prunetune.workload import Workload

WORKLOAD = Workload(
    Named(name="resnet14"), Named(name="digits", params={"train_limit": 256}), seed=0
)
SGD = {"recipe.optimizer": "sgd", "recipe.optimizer.sgd.lr": 0.1, "recipe.batch_size": 64}
PRUNED = {"method.criterion": "magnitude", "method.scope": "protected_global"}
TIMES = {"seconds", "wall_s", "started_at", "ended_at", "peak_memory_bytes"}


def spec(key: str, **fields: object) -> TrialSpec:
    target = fields.pop("budget", None)
    common = {
        "key": key,
        "sweep": "s",
        "seed": 0,
        "workload": WORKLOAD.to_json(),
        "dense_macs": WORKLOAD.macs,
        "dense_params": WORKLOAD.n_params,
        "target_macs": int(WORKLOAD.macs * (target or 1)),
        "tolerance": 0.005,
        "epochs": 2,
        "config": SGD,
        "budget": target,
    }
    return TrialSpec.model_validate({**common, **fields})


DENSE = spec("dense0", phase="dense")


def pruned(key: str, **fields: object) -> TrialSpec:
    common = {
        "phase": "search",
        "study": "pruned@0.5",
        "arm": "pruned",
        "method": "channel_pruning",
        "budget": 0.5,
        "number": 0,
        "config": {**SGD, **PRUNED},
        "inputs": {"dense": "dense0"},
        "inherited_macs": 123,
    }
    return spec(key, **{**common, **fields})


def run(trial: TrialSpec, store: Store, limit: int | None = None) -> Record | None:
    """The record of a trial, or None where only `limit` reports are taken before a crash."""
    store.write_trial(trial)
    builder = RecordBuilder(trial)
    for report in islice(run_trial(trial, store, device="cpu"), limit):
        builder.add(report)
        if "status" in report:  # an actor stops here
            break
    return builder.record() if limit is None else None


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = Store(tmp_path_factory.mktemp("runs"), "s")
    record = run(DENSE, store)
    assert record is not None
    assert record.status == "completed"
    store.write_record(record)
    return store


def facts(record: Record) -> dict:
    """All of a record but times and lost work."""
    tree = json.loads(record.model_dump_json(exclude=TIMES))
    tree["train_macs"].pop("spent")
    for epoch in tree["curve"]:
        epoch.pop("seconds")
    return tree


def test_dense_record_and_weights_belong_together(store: Store):
    record = store.records()["dense0"]
    model = rebuild(record.architecture)
    model.load_state_dict(load_state(store.dense_folder("dense0").weights.path))
    kept = store.test_outputs_of(record)
    assert kept is not None
    assert store.address(kept) == record.test_outputs
    saved = load_state(kept.path)
    outputs = saved["log_probs"]
    assert outputs.shape == (WORKLOAD.info.test_size, 10)
    assert torch.allclose(outputs.exp().sum(1), torch.ones(len(outputs)), atol=1e-5)
    labels = torch.cat([y for _, y in open_splits().test().batches(100)])
    assert torch.equal(saved["labels"], labels.int())
    assert torch.equal(saved["predicted"], outputs.argmax(1).int())
    assert (outputs.argmax(1) == labels).float().mean().item() == pytest.approx(record.test_acc1)
    with torch.no_grad():
        again = torch.cat([model.eval()(x) for x, _ in open_splits().test().batches(100)])
    assert torch.allclose(again.log_softmax(1), outputs, atol=1e-4)


def open_splits():
    return WORKLOAD.open(torch.device("cpu"), download=False)


def test_costs_add_up(store: Store):
    record = run(pruned("costs"), store)
    images, macs = images_per_epoch(len(open_splits().train), 64), record.macs
    assert record.train_macs.train == training_macs(macs, images, epochs=2)
    charged = record.train_macs
    assert charged.total == charged.sparsify + charged.score + charged.train + 123
    validation = 3 * macs * len(open_splits().val)  # before training, and after both epochs
    assert charged.spent == charged.train + charged.score + validation
    assert record.dense_macs * 0.5 * (1 - 0.005) <= macs <= record.dense_macs * 0.5
    assert record.params == sum(p.numel() for p in rebuild(record.architecture).parameters())


def test_no_dense_network_of_a_replicate_sees_its_validation_images():
    def indices(replicate: int) -> tuple[list, list]:
        workload = Workload(Named(name="resnet14"), Named(name="digits"), 0, replicate=replicate)
        assert Workload.from_json(workload.to_json()) == workload
        splits = workload.open(torch.device("cpu"), download=False)
        return tuple(
            split.images.pixels.flatten(1).tolist() for split in (splits.train, splits.val)
        )

    parts = [indices(replicate) for replicate in range(3)]
    for train, val in parts:
        assert len(train) + len(val) == 1437
        assert sum(image in val for image in train) <= 1, "one image of digits is there twice"
    assert parts[0][1] != parts[1][1] != parts[2][1]


def test_search_never_opens_the_test_set(store: Store, monkeypatch: pytest.MonkeyPatch):
    def refuse() -> None:
        raise AssertionError("opened")

    sealed = replace(open_splits(), test=refuse)
    monkeypatch.setattr(Workload, "open", lambda *_, **__: sealed)
    record = run(pruned("sealed"), store)
    assert record.test_acc1 is None
    with pytest.raises(AssertionError, match="opened"):
        run(pruned("judged", phase="confirm"), store)


@pytest.mark.parametrize("reports", [1, 2])
def test_a_crash_changes_nothing_but_what_was_spent(store: Store, reports: int):
    whole = run(pruned(f"whole{reports}", phase="confirm"), store)
    trial = pruned(f"broken{reports}", phase="confirm")
    run(trial, store, limit=reports)
    resumed = run(trial, store)
    same = ("key", "test_outputs")
    assert {k: v for k, v in facts(resumed).items() if k not in same} == {
        k: v for k, v in facts(whole).items() if k not in same
    }
    assert resumed.train_macs.spent > whole.train_macs.spent
    files = [store.trial_folder(r.key).weights for r in (whole, resumed)]
    assert files[0].read() == files[1].read()


def test_a_second_sweep_spends_nothing_on_a_shared_dense_network(store: Store):
    other = Store(store.storage, "other")
    record = run(spec("dense0", phase="dense", sweep="other"), other)
    first = store.records()["dense0"]
    assert record.train_macs.spent == 0
    assert record.sweep == "other"
    assert {**facts(record), "sweep": "s"} == facts(first)


def test_a_second_sweep_inherits_what_its_own_file_says_of_loaded_weights(store: Store):
    """The key depends on the weights alone; the sweep file states how long they were trained."""
    stated = spec("dense0", phase="dense", sweep="other", inherited_macs=1000)
    macs = run(stated, Store(store.storage, "other")).train_macs
    first = store.records()["dense0"].train_macs
    assert macs.inherited == 1000
    assert macs.total == first.total + 1000 == macs.sparsify + macs.score + macs.train + 1000


def without_dense_weights(tmp_path: Path) -> tuple[Store, Record, Record]:
    """A store without dense weights, the dense record, and the record of an earlier trial."""
    store = Store(tmp_path, "s")
    dense = run(DENSE, store)
    store.write_record(dense)
    store.trial_folder(dense.key).drop_checkpoints()
    before = run(pruned("first"), store)
    store.dense_folder("dense0").weights.delete()
    return store, dense, before


def test_lost_dense_weights_are_trained_again_and_charged_to_the_trial_that_needs_them(
    tmp_path: Path,
):
    store, dense, before = without_dense_weights(tmp_path)
    after, later = run(pruned("second"), store), run(pruned("third"), store)
    assert facts(after) == {**facts(before), "key": "second"}
    assert after.train_macs.spent == before.train_macs.spent + dense.train_macs.spent
    assert later.train_macs.spent == before.train_macs.spent
    assert store.records() == {"dense0": dense}


def test_a_crash_while_dense_weights_are_trained_again_forgets_no_spent_macs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    store, dense, before = without_dense_weights(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr("prunetune.trial.outputs.save", Mock(side_effect=OSError("unplugged")))
        with pytest.raises(OSError, match="unplugged"):
            run(pruned("second"), store)
    after = run(pruned("second"), store)
    assert facts(after) == {**facts(before), "key": "second"}
    tests_twice = dense.macs * WORKLOAD.info.test_size
    expected = before.train_macs.spent + dense.train_macs.spent + tests_twice
    assert after.train_macs.spent == expected


@pytest.mark.parametrize(
    ("fields", "status", "said"),
    [
        ({"config": {**SGD, **PRUNED, "recipe.optimizer.sgd.lr": 1e30}}, "diverged", "loss"),
        ({"budget": 0.0001}, "infeasible", "MACs"),
        ({"epochs": 0, "inputs": {"dense": "broken"}}, "diverged", "validation loss of epoch 0"),
    ],
)
def test_expected_ends_are_reports(store: Store, fields: dict, status: str, said: str):
    weights = load_state(store.dense_folder("dense0").weights.path)
    weights["linear.bias"].fill_(float("nan"))
    save(store.dense_folder("broken").weights, weights)
    record = run(pruned(f"end-{status}-{len(fields)}", **fields), store)
    assert record.status == status
    assert said in record.error


def test_the_control_continues_the_training_of_the_dense_network(store: Store):
    control = {"method": "dense", "budget": None, "study": "control@dense", "config": SGD}
    record = run(pruned("control", arm="control", **control), store)
    dense = store.records()["dense0"]
    assert (record.status, record.macs, record.params) == ("completed", dense.macs, dense.params)
    assert record.architecture == dense.architecture
    assert record.val_acc1_before_training == dense.val_acc1
    assert record.curve[-1].train_loss < dense.curve[-1].train_loss


def test_no_epochs_is_legal(store: Store):
    record = run(pruned("untrained", epochs=0), store)
    assert record.status == "completed"
    assert record.val_acc1 == record.val_acc1_before_training
    assert record.train_macs.train == 0


GRADUAL = {
    **SGD, **PRUNED, "method.gradual.epochs": 2, "method.steps": 3, "method.schedule": "cubic",
    "method.criterion": "random",
}  # fmt: skip


def test_epochs_in_which_a_network_shrinks_count_like_all_others(store: Store):
    record = run(pruned("shrinks", epochs=4, config=GRADUAL), store)
    assert record.status == "completed"
    assert [epoch.epoch for epoch in record.curve] == [1, 2, 3, 4]
    rates = [epoch.lr for epoch in record.curve]
    assert rates == sorted(rates, reverse=True)  # one cosine over all of them
    assert rates[2] < 0.06
    images = images_per_epoch(len(open_splits().train), 64)
    dense, macs = record.dense_macs, record.macs
    assert record.train_macs.train == training_macs(dense + macs, images, 2)
    assert record.train_macs.sparsify == 0
    assert record.val_acc1_best == max(epoch.val_acc1 for epoch in record.curve[2:])
    assert dense * 0.5 * (1 - 0.005) <= macs <= dense * 0.5


@pytest.mark.parametrize("reports", [2, *(pytest.param(n, marks=pytest.mark.slow) for n in (3, 5))])
def test_a_crash_while_it_shrinks_or_after_changes_nothing(store: Store, reports: int):
    """Finished rounds of pruning are not scored again, and still count towards the cost."""
    taylor = {"method.criterion": "taylor", "method.criterion.taylor.images": 64}
    fields = {"phase": "confirm", "epochs": 3, "config": {**GRADUAL, **taylor}}
    whole = run(pruned(f"shrunk{reports}", **fields), store)
    trial = pruned(f"torn{reports}", **fields)
    run(trial, store, limit=reports)
    resumed = run(trial, store)
    same = ("key", "test_outputs")
    assert {k: v for k, v in facts(resumed).items() if k not in same} == {
        k: v for k, v in facts(whole).items() if k not in same
    }
    assert whole.train_macs.score > 0
    files = [store.trial_folder(r.key).weights for r in (whole, resumed)]
    assert files[0].read() == files[1].read()


def test_a_network_that_shrinks_to_its_last_epoch_is_judged_after_the_cut(store: Store):
    record = run(pruned("to-the-end", config=GRADUAL), store)
    assert record.epochs == 2
    assert record.val_acc1 == record.val_acc1_before_training == record.val_acc1_best
