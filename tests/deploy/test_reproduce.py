"""A trial that runs again agrees to the bit where that is promised, else as one more seed would."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from prunetune.deploy.agreement import Reproduction, compare_runs
from prunetune.deploy.reproduce import reproduce_trial
from prunetune.records.record import Record
from prunetune.records.store import Store
from tests.cli.command import prunetune


@pytest.fixture(autouse=True)
def one_thread() -> None:
    assert torch.get_num_threads() == 1


def of(store: Store, phase: str, arm: str | None) -> Record:
    return next(r for r in store.records().values() if (r.phase, r.arm) == (phase, arm))


@pytest.mark.parametrize(
    ("phase", "arm"), [("dense", None), ("search", "pruned"), ("confirm", "thin")]
)
def test_every_phase_repeats_to_the_last_bit(swept: Store, phase: str, arm: str | None) -> None:
    files = sorted(path for path in swept.root.rglob("*"))
    result = reproduce_trial(swept, of(swept, phase, arm))
    assert (result.agrees, result.differing, result.not_promised) == (True, (), ())
    assert sorted(path for path in swept.root.rglob("*")) == files


def test_a_trial_that_was_stopped_repeats_up_to_its_last_epoch(swept: Store) -> None:
    record = of(swept, "search", "thin")
    stopped = record.model_copy(update={"status": "stopped"})
    result = reproduce_trial(swept, stopped)
    assert result.status == ("stopped", "stopped")
    assert result.differing == ()


def test_another_record_or_other_weights_are_found_and_the_exit_code_is_1(
    swept: Store, tmp_path: Path
) -> None:
    shutil.copytree(swept.storage, tmp_path / "runs")
    store = Store(tmp_path / "runs", "small")
    seeds = [r for r in store.records().values() if r.phase == "confirm" and r.arm == "pruned"]
    weights = [store.trial_folder(r.key).weights for r in seeds]
    first, second = weights[0].read(), weights[1].read()
    weights[0].write(second)
    weights[1].write(first)
    done = prunetune("reproduce", seeds[0].key, "--storage", store.storage)
    assert done.returncode == 1
    assert "disagrees: the same bits are promised here, and it differs in" in done.stdout
    facts = json.loads(
        prunetune("reproduce", seeds[0].key, "--storage", store.storage, "--json").stdout
    )
    assert facts["differing"] == ["weights"]
    assert facts["agrees"] is False
    changed = seeds[1].model_copy(update={"test_acc1": 0.9})
    assert reproduce_trial(store, changed).differing == ("test_acc1", "weights")


@pytest.fixture
def confirm(swept: Store) -> Record:
    return of(swept, "confirm", "thin").model_copy(update={"test_acc1": 0.8, "threads": 1})


def compared(before: Record, now: float, others: list[float], **fields: object) -> Reproduction:
    """A new run that gives `now`, on another version; `others` are the other seeds."""
    after = before.model_copy(update={"test_acc1": now, "versions": {"torch": "0"}, **fields})
    seeds = [
        before.model_copy(update={"test_acc1": value, "seed": i}) for i, value in enumerate(others)
    ]
    return compare_runs(
        before, after, [before, *seeds], deterministic=False, weights_differ=True, grain=1e-4
    )


def test_where_bits_are_not_promised_the_seeds_decide(confirm: Record) -> None:
    inside = compared(confirm, 0.803, [0.79, 0.81])
    # t(2 df) = 4.303, s = 0.01, sqrt(1 + 1/3)
    assert inside.low == pytest.approx(0.8 - 4.3027 * 0.01 * (4 / 3) ** 0.5, abs=1e-5)
    assert inside.high == pytest.approx(1.6 - inside.low)
    assert (inside.agrees, inside.n) == (True, 3)
    assert compared(confirm, 0.7, [0.79, 0.81]).agrees is False
    assert compared(confirm, 0.803, [0.79, 0.81], status="diverged").agrees is False


def test_without_a_second_seed_nobody_can_say(confirm: Record) -> None:
    result = compared(confirm, 0.8001, [])
    assert result.agrees is None
    assert "there is no second seed" in result.sentence()


def test_a_search_trial_is_judged_by_the_spread_of_the_confirm_seeds(swept: Store) -> None:
    search = of(swept, "search", "thin").model_copy(update={"val_acc1": 0.5})
    after = search.model_copy(update={"val_acc1": 0.52, "threads": 2})
    confirms = [
        of(swept, "confirm", "thin").model_copy(update={"val_acc1": value, "number": number})
        for number, value in ((0, 0.4), (0, 0.42), (1, 0.7), (1, 0.72))
    ]
    result = compare_runs(
        search, after, [search, *confirms], deterministic=False, weights_differ=False, grain=1e-4
    )
    # both groups have s^2 = 2e-4, 1 df each; a difference of two runs has twice that
    assert result.high == pytest.approx(0.5 + 4.3027 * (2 * 2e-4) ** 0.5, abs=1e-5)
    assert result.agrees


@pytest.mark.parametrize("case", ["failed", "undealt"])
def test_what_cannot_run_again_is_bad_input(swept: Store, tmp_path: Path, case: str) -> None:
    shutil.copytree(swept.storage, tmp_path / "runs")
    store = Store(tmp_path / "runs", "small")
    record = of(store, "search", "thin")
    if case == "failed":
        store.record_file(record.key).write_json(record.model_copy(update={"status": "failed"}))
    else:
        store.trial_folder(record.key).trial.delete()
    done = prunetune("reproduce", record.key, "--storage", store.storage)
    assert done.returncode == 2
    assert record.key in done.stderr
