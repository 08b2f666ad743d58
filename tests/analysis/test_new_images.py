"""Intervals on new test images, from outputs that a store really keeps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

from prunetune.agenda import Agenda, Trials
from prunetune.analysis.evidence.confirmed import confirmed_studies
from prunetune.analysis.evidence.images import TestImages, frontier_scores
from prunetune.analysis.evidence.samples import contests
from prunetune.analysis.report import Report, analyse
from prunetune.plan import Plan
from prunetune.records.record import Record
from prunetune.records.seeds import confirm_seed
from prunetune.records.store import Store
from prunetune.statistics.images import image_variance
from tests.analysis.sweeps import make_plan, noisy, run

IMAGES = 400
FIVE = (0.8, 0.5, 0.3, 0.2, 0.1)


def kept(
    plan: Plan, folder: Path, gap: float, lean: float = 0.0
) -> tuple[dict[str, Record], Store, dict]:
    """Records with outputs: each arm has a taste of its own in images, shared by its seeds.

    `lean` says how much a second taste grows with the budget.
    """
    store, hits = Store(folder, plan.sweep), {}
    rng = np.random.default_rng(0)
    ease, taste = rng.normal(1.2, 1.0, IMAGES), rng.normal(0.0, 1.0, IMAGES)
    growing = lean * np.random.default_rng(1).normal(size=IMAGES)
    records = {}
    for key, record in run(plan, noisy({"thin": 0.9, "pruned": 0.9})).items():
        if record.phase != "confirm":
            records[key] = record
            continue
        share = float(record.budget or 0.0)
        shift = gap + taste + share * growing if record.arm == "pruned" else 0.0
        right = rng.normal(ease + shift, 0.2) > 0
        labels = rng.integers(0, 10, IMAGES).astype(np.int32)
        predicted = np.where(right, labels, (labels + 1) % 10).astype(np.int32)
        file = store.trial_folder(key).test_outputs
        file.write(save({"labels": labels, "predicted": predicted}))
        fields = {"test_acc1": float(right.mean()), "test_outputs": store.address(file)}
        records[key] = record.model_copy(update=fields)
        hits[key] = right
    return records, store, hits


def test_the_interval_on_new_images_adds_their_luck_to_that_of_the_seeds(tmp_path: Path) -> None:
    plan = make_plan(budgets=(0.25,), test_size=IMAGES)
    records, store, hits = kept(plan, tmp_path, 0.6)
    (pair,) = analyse(plan, records, store=store).verdicts[0].pairs
    scores = [
        np.array([hits[k] for k, r in sorted(records.items(), key=lambda kv: kv[1].seed)
                  if r.phase == "confirm" and r.arm == arm])
        for arm in ("thin", "pruned")
    ]  # fmt: skip
    assert image_variance(*scores) > 0
    assert pair.new_low is not None
    assert pair.new_high is not None
    assert pair.new_high - pair.new_low > (pair.high or 0) - (pair.low or 0)
    middle = (pair.new_low + pair.new_high) / 2
    assert middle == pytest.approx(pair.difference)


@pytest.mark.parametrize(("gap", "everywhere"), [(2.5, True), (0.8, False)])
def test_a_win_that_other_images_may_undo_is_said_of_these_images(
    tmp_path: Path, gap: float, everywhere: bool
) -> None:
    plan = make_plan(budgets=(0.25,), seeds=8, test_size=IMAGES)
    records, store, _ = kept(plan, tmp_path, gap)
    report = analyse(plan, records, store=store)
    (pair,) = report.verdicts[0].pairs
    assert pair.winner == "pruned"
    assert pair.new_high is not None
    assert (pair.new_high < 0) is everywhere
    for text in (report.sentences[0], report.answer):
        assert text.startswith("On these 400 test images, ") is not everywhere
    assert ("On other test images it may not hold." in report.sentences[0]) is not everywhere
    assert "interval for new test images" in report.sentences[0]


def frontier_of(report: Report) -> tuple[float, float]:
    (frontier,) = report.frontiers
    assert frontier.new_low is not None
    assert frontier.new_high is not None
    return frontier.new_low, frontier.new_high


def test_frontiers_have_both_intervals_too(tmp_path: Path) -> None:
    plan = make_plan(budgets=FIVE, test_size=IMAGES)
    records, store, _ = kept(plan, tmp_path, 1.0)
    report = analyse(plan, records, store=store)
    low, high = frontier_of(report)
    assert low < (report.frontiers[0].area or 0) < high
    assert "interval for new test images" in report.frontier_sentences[0]


@pytest.mark.parametrize("lean", [0.0, 2.0])
def test_the_change_with_the_budget_has_both_intervals_too(tmp_path: Path, lean: float) -> None:
    """A taste that is the same at all budgets does not touch the change; one that grows does."""
    plan = make_plan(budgets=FIVE, test_size=IMAGES)
    records, store, _ = kept(plan, tmp_path, 1.0, lean)
    tilt = analyse(plan, records, store=store).frontiers[0].tilt
    assert tilt is not None
    assert tilt.change_new_low is not None
    assert tilt.change_new_high is not None
    assert (tilt.change_new_low + tilt.change_new_high) / 2 == pytest.approx(tilt.change)
    same = tilt.change_new_high == pytest.approx(tilt.change_high)
    assert same == (lean == 0)


def test_scores_over_budgets_are_weighted_sums_of_hits(tmp_path: Path) -> None:
    plan = make_plan(budgets=FIVE, test_size=IMAGES)
    records, store, hits = kept(plan, tmp_path, 1.0)
    found = contests(plan, confirmed_studies(Agenda(plan, Trials(records))))
    at = {contest.budget: contest.samples["pruned"] for contest in found}
    weights = np.random.default_rng(0).normal(size=len(FIVE))
    scores = frontier_scores([at[b] for b in FIVE], TestImages(store.test_outputs_of), weights)
    expected = np.zeros((plan.confirm.seeds, IMAGES))
    for key, right in hits.items():
        if records[key].arm == "pruned":
            seed = records[key].seed - confirm_seed(0, 0)
            expected[seed] += weights[FIVE.index(records[key].budget)] * right
    np.testing.assert_allclose(scores, expected)


def test_one_lost_file_takes_the_interval_away(tmp_path: Path) -> None:
    plan = make_plan(budgets=(0.25,), test_size=IMAGES)
    records, store, hits = kept(plan, tmp_path, 1.0)
    store.trial_folder(next(iter(hits))).test_outputs.delete()
    report = analyse(plan, records, store=store)
    assert report.verdicts[0].pairs[0].new_low is None
    assert "over seeds alone" in report.sentences[0]
    assert "interval for new test images" not in report.sentences[0]
