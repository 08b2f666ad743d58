"""Old records never answer a new question, whatever became of plan.json."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from prunetune.agenda import Ask, dense_spec, search_spec
from prunetune.bind import bind
from prunetune.config.file.model import SweepSpec
from prunetune.config.file.parse import check
from prunetune.config.space.space import any_value
from prunetune.plan import Plan
from prunetune.records.files import CorruptFileError
from prunetune.records.store import Store
from prunetune.sweep.kept_trials import OtherQuestionError
from prunetune.sweep.plan_file import write_plan
from tests.agenda.simulated import ended
from tests.sweep.test_plan_file import SPEC


def planned(**fields: object) -> tuple[SweepSpec, Plan]:
    spec = SweepSpec.model_validate(SPEC | fields)
    return spec, bind(spec, check(spec))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A sweep with the records of two trials, and a third that runs."""
    store, (spec, plan) = Store(tmp_path, "small"), planned()
    write_plan(store, spec, plan)
    study = plan.studies[0]
    config = study.space.draw(lambda dimension: any_value(dimension.domain))
    trials = [search_spec(plan, Ask(study, n, n), config, {}) for n in range(2)]
    for trial in (dense_spec(plan, 0, 0), *trials):
        store.write_trial(trial)
        if trial.number != 1:
            store.write_record(ended(trial, config=trial.config))
    return store


def files(store: Store) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in store.storage.rglob("*") if path.is_file()}


OTHER = {"training": {"finetune_epochs": 7}}


def test_without_its_plan_the_same_sweep_goes_on(store: Store) -> None:
    store.plan_file.delete()
    write_plan(store, *planned())
    assert store.plan_file.exists()


def test_without_its_plan_another_question_is_refused_and_nothing_is_written(store: Store) -> None:
    store.plan_file.delete()
    before = files(store)
    for _ in range(2):  # the first refusal must not make the second one pass
        with pytest.raises(OtherQuestionError, match="is gone") as e:
            write_plan(store, *planned(budgets=[0.4], **OTHER))
        assert e.value.exit_code == 2
        assert files(store) == before


def test_a_running_trial_of_another_question_is_refused_too(store: Store) -> None:
    store.plan_file.delete()
    for key in store.records():
        store.record_file(key).delete()
    with pytest.raises(OtherQuestionError, match=r"trial\.json: it is of study"):
        write_plan(store, *planned(budgets=[0.4], **OTHER))


def test_a_plan_that_was_made_to_fit_does_not_help(store: Store) -> None:
    """plan.json is edited so that it agrees with the new file, hash and all."""
    spec, plan = planned(tolerance=0.01)
    other = Store(store.storage / "elsewhere", "small")
    write_plan(other, spec, plan)
    store.plan_file.write(other.plan_file.read())
    before = files(store)
    with pytest.raises(CorruptFileError, match=r"its key is not the one.*and 1 more"):
        write_plan(store, spec, plan)
    assert files(store) == before


def test_a_record_that_was_changed_is_named(store: Store) -> None:
    record = next(r for r in store.records().values() if r.phase == "search")
    file = store.record_file(record.key)
    facts = json.loads(file.read())
    facts["seed"] = 12
    file.write(json.dumps(facts).encode())
    with pytest.raises(CorruptFileError, match=rf"{record.key}\.json: its key is not the one"):
        write_plan(store, *planned())
