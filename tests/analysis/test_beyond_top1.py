"""Figures beyond top-1, against closed forms and against plain loops over images."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import save_file

from prunetune.agenda import Agenda, Trials
from prunetune.analysis.evidence.beyond_top1 import (
    BINS,
    MOST_CLASSES,
    BeyondTop1,
    beyond_top1,
    calibration_error,
    negative_log_likelihood,
)
from prunetune.analysis.evidence.confirmed import confirmed_studies
from prunetune.records.files import StoredFile
from prunetune.records.record import Record
from prunetune.statistics.intervals import mean_interval
from tests.analysis.sweeps import make_plan, noisy, run

IMAGES, CLASSES = 400, 4
LABELS = np.arange(IMAGES) % CLASSES


def outputs(seed: int, classes: int = CLASSES) -> NDArray[np.float64]:
    """Log-probabilities of a network that is right more often than not."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 1, (IMAGES, classes))
    logits[np.arange(IMAGES), LABELS] += 1.5
    logits -= np.log(np.exp(logits).sum(1, keepdims=True))
    return logits.astype(np.float32).astype(np.float64)


def test_likelihood_of_a_network_that_knows_nothing_and_of_one_that_knows_all() -> None:
    level = np.full((IMAGES, CLASSES), -math.log(CLASSES))
    assert negative_log_likelihood(level, LABELS) == pytest.approx(math.log(CLASSES))
    sure = np.where(np.eye(CLASSES)[LABELS] > 0, 0.0, -50.0)
    assert negative_log_likelihood(sure, LABELS) == 0
    assert calibration_error(sure, LABELS) == 0
    assert calibration_error(sure, (LABELS + 1) % CLASSES) == pytest.approx(1)


def test_confidence_that_is_right_as_often_as_it_says_is_calibrated() -> None:
    p = np.array([0.7, 0.1, 0.1, 0.1])
    log_probs = np.log(np.tile(p, (IMAGES, 1)))
    labels = np.where(np.arange(IMAGES) < 0.7 * IMAGES, 0, 1)
    assert calibration_error(log_probs, labels) == pytest.approx(0, abs=1e-12)
    assert calibration_error(log_probs, np.zeros(IMAGES, int)) == pytest.approx(0.3)


@pytest.mark.parametrize("seed", range(3))
def test_calibration_error_is_that_of_a_loop_over_bins(seed: int) -> None:
    log_probs = outputs(seed)
    confidence, right = np.exp(log_probs.max(1)), log_probs.argmax(1) == LABELS
    error = 0.0
    for b in range(BINS):
        inside = (confidence >= b / BINS) & (confidence < (b + 1) / BINS)
        if inside.any():
            error += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    assert calibration_error(log_probs, LABELS) == pytest.approx(error)


def rows_of(folder: Path, classes: int = CLASSES, kept: Iterable[str] = ("dense", "confirm")):
    """A finished sweep whose outputs are made up, and the rows that follow."""
    plan = make_plan(budgets=(0.5,), seeds=3)
    records = run(plan, noisy({"thin": 0.9, "pruned": 0.9}))
    dense = {r.seed: r.key for r in records.values() if r.phase == "dense"}
    for key, r in records.items():
        if r.arm == "pruned" and r.phase == "confirm":
            # the dense network that it inherits is another one than that of its own seed
            records[key] = r.model_copy(update={"inputs": {"dense": dense[0]}})

    def outputs_of(record: Record) -> StoredFile | None:
        if record.phase not in kept:
            return None
        path = folder / f"{record.key}.safetensors"
        tensors = {"log_probs": table(record, classes).astype(np.float32), "labels": LABELS}
        save_file(tensors, path)
        return StoredFile(path)

    confirmed = confirmed_studies(Agenda(plan, Trials(records)))
    return records, {r.study: r for r in beyond_top1(plan, records, confirmed, outputs_of)}


def table(record: Record, classes: int = CLASSES) -> NDArray[np.float64]:
    return outputs(int(record.key[:6], 16), classes)


def test_every_figure_is_a_mean_over_networks_with_its_interval(tmp_path: Path) -> None:
    records, rows = rows_of(tmp_path)
    assert set(rows) == {"dense", "thin@0.5 scratch_b", "pruned@0.5"}
    thin = [r for r in records.values() if r.arm == "thin" and r.phase == "confirm"]
    row: BeyondTop1 = rows["thin@0.5 scratch_b"]
    nll = [negative_log_likelihood(table(r), LABELS) for r in thin]
    assert row.networks == 3
    assert row.nll.mean == pytest.approx(np.mean(nll))
    assert row.nll.low == pytest.approx(mean_interval(nll).low)
    for c, estimate in enumerate(row.classes):
        of_class = [np.mean(table(r)[c == LABELS].argmax(1) == c) for r in thin]
        assert estimate.mean == pytest.approx(np.mean(of_class))
    assert rows["dense"].networks == 4
    assert rows["dense"].disagreement is None


def test_networks_are_compared_with_the_dense_network_that_they_start_from(tmp_path: Path) -> None:
    records, rows = rows_of(tmp_path)
    dense = {r.seed: r for r in records.values() if r.phase == "dense"}
    for arm, parent in (("thin", None), ("pruned", 0)):
        confirms = [r for r in records.values() if r.arm == arm and r.phase == "confirm"]
        differ = [
            np.mean(
                table(r).argmax(1) != table(dense[r.seed if parent is None else parent]).argmax(1)
            )
            for r in confirms
        ]
        row = next(row for study, row in rows.items() if study.startswith(arm))
        assert row.disagreement is not None
        assert row.disagreement.mean == pytest.approx(np.mean(differ))


def test_outputs_that_were_not_kept_are_missing_and_nothing_else(tmp_path: Path) -> None:
    assert rows_of(tmp_path, kept=())[1] == {}
    _, rows = rows_of(tmp_path, kept=("confirm",))
    assert set(rows) == {"thin@0.5 scratch_b", "pruned@0.5"}
    assert all(row.disagreement is None for row in rows.values())


def test_many_classes_are_not_listed(tmp_path: Path) -> None:
    _, rows = rows_of(tmp_path, classes=MOST_CLASSES + 1)
    assert all(row.classes == () and row.nll.mean for row in rows.values())
