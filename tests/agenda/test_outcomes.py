from __future__ import annotations

import pytest

from prunetune.agenda.outcomes import finalists, study_outcome
from prunetune.records.record import Record


def record(phase: str, number: int, seed: int, acc1: float | None = 0.5, **other) -> Record:
    facts = {
        "key": f"{phase}{number}/{seed}", "sweep": "s", "phase": phase, "study": "a",
        "number": number, "seed": seed, "status": "completed", "val_acc1": acc1, "val_loss": 1.0,
        "dense_macs": 2, "target_macs": 1, "dense_params": 1, "epochs_planned": 1,
    }  # fmt: skip
    return Record(**{**facts, **other})


SEARCH = [record("search", n, n, acc1) for n, acc1 in enumerate([0.5, 0.9, 0.8, 0.7])]


def winner(*rescores: Record, top: int = 3) -> int | None:
    best = study_outcome("a", [*rescores, *SEARCH], None, top).winner
    return best.number if best else None


def again(number: int, *accuracies: float | None, **other) -> list[Record]:
    return [record("rescore", number, 900 + i, a, **other) for i, a in enumerate(accuracies)]


@pytest.mark.parametrize("top", [1, 3, 9])
def test_without_rescores_the_best_of_the_search_wins(top):
    assert winner(top=top) == 1


def test_rescores_overturn_the_search():
    assert winner(*again(1, 0.6, 0.6), *again(2, 0.5, 0.8), *again(3, 0.64, 0.64)) == 2


def test_only_finalists_can_be_rescored():
    assert [r.number for r in finalists(SEARCH, 3)] == [1, 2, 3]
    assert winner(*again(1, 0.6, 0.6), *again(0, 0.9, 0.9)) == 1


def test_a_rescore_that_diverged_counts_as_zero_and_one_that_failed_as_nothing():
    half = [*again(2, 0.8), record("rescore", 2, 901, None, status="diverged")]
    assert winner(*again(1, 0.6, 0.6), *half) == 1
    fault = [*again(2, 0.8), record("rescore", 2, 901, None, status="failed")]
    assert winner(*again(1, 0.6, 0.6), *fault) == 2


def test_equal_means_go_to_the_lower_loss_then_to_the_rank_in_the_search():
    assert winner(*again(1, 0.6, 0.6), *again(2, 0.6, 0.6)) == 1
    assert winner(*again(1, 0.6, 0.6), *again(2, 0.6, 0.6, val_loss=0.5)) == 2


def test_ties_of_the_search_go_to_the_lower_loss_then_to_the_lower_number():
    tied = [record("search", n, n, 0.9, val_loss=loss) for n, loss in enumerate([2.0, 1.0, 1.0])]
    assert [r.number for r in finalists(tied, 3)] == [1, 2, 0]


@pytest.mark.parametrize(
    "other",
    [{"status": "stopped"}, {"status": "failed"}, {"would_stop_at": 1}, {"acc1": None}],
    ids=str,
)
def test_a_trial_that_did_not_run_its_course_cannot_win(other):
    fifth = record("search", 4, 4, **{"acc1": 1.0, **other})
    outcome = study_outcome("a", [*SEARCH, fifth], None)
    assert outcome.winner is not None
    assert outcome.winner.number == 1
    assert len(outcome.search) == 5


def test_only_confirms_of_the_winner_count():
    confirms = [record("confirm", number, 1000 + j) for number in (1, 2) for j in range(2)]
    failed = record("confirm", 1, 1002, None, status="failed")
    outcome = study_outcome("a", [*SEARCH, *confirms, failed], None)
    assert [(r.number, r.seed) for r in outcome.confirms] == [(1, 1000), (1, 1001), (1, 1002)]
    assert [r.seed for r in outcome.confirmed] == [1000, 1001]
