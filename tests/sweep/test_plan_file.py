"""The plan file: written before a sweep runs, extended when it grows, refused when it is torn."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from prunetune.bind import bind
from prunetune.config.file.growth import GrowthError
from prunetune.config.file.model import SweepSpec
from prunetune.config.file.parse import check
from prunetune.records.files import CorruptFileError
from prunetune.records.key import digest
from prunetune.records.store import Store
from prunetune.sweep.plan_file import NoSweepError, load_plan, write_plan
from prunetune.sweep.results import load_records

SPEC = {
    "name": "small",
    "workload": {"model": "resnet14", "dataset": "digits"},
    "budgets": [0.5],
    "arms": {"thin": {"method": "width_scaling"}},
}


def written_plan(folder: Path, **fields: object) -> dict:
    spec = SweepSpec.model_validate(SPEC | fields)
    write_plan(Store(folder, "small"), spec, bind(spec, check(spec)))
    written: dict = json.loads((folder / "small" / "plan.json").read_bytes())
    return written


def test_a_sweep_begun_before_a_field_was_there_goes_on(tmp_path: Path) -> None:
    begun = written_plan(tmp_path)
    older = json.loads(json.dumps(begun))
    del older["spec"]["confirm"], older["spec"]["plugins"]
    (tmp_path / "small" / "plan.json").write_text(json.dumps(older))
    assert written_plan(tmp_path) == begun


def test_a_plan_changed_by_hand_is_not_believed_and_the_next_run_says_so(tmp_path: Path) -> None:
    begun = written_plan(tmp_path)
    store, file = Store(tmp_path, "small"), tmp_path / "small" / "plan.json"
    assert load_plan(store).hash == load_plan(store).fingerprint == begun["hash"]
    looser = json.loads(json.dumps(begun))
    looser["plan"]["confirm"]["margin"] = 0.5
    file.write_text(json.dumps(looser))
    with pytest.raises(CorruptFileError, match=r"plan\.json: changed by hand"):
        load_plan(store)
    (note,) = written_plan(tmp_path)["growth"]
    assert note["changes"] == ["plan.json: changed by hand -> as the sweep file says"]
    assert load_plan(store).confirm.margin == begun["plan"]["confirm"]["margin"]


def test_the_hash_of_an_older_versions_plan_is_kept_in_a_note(tmp_path: Path) -> None:
    begun = written_plan(tmp_path)
    older = json.loads(json.dumps(begun))
    del older["plan"]["registration"]
    older["hash"] = digest(older["plan"])
    (tmp_path / "small" / "plan.json").write_text(json.dumps(older))
    plan = load_plan(Store(tmp_path, "small"))
    assert (plan.registration, plan.hash) == (None, older["hash"])
    continued = written_plan(tmp_path)
    assert continued["plan"] == begun["plan"]
    assert [note["hash"] for note in continued["growth"]] == [older["hash"]]
    assert written_plan(tmp_path) == continued


@pytest.mark.parametrize(
    "fields",
    [
        {"question": "another"},
        {"confirm": {"margin": 0.003}},
        {"confirm": {"seeds": 6}},
        {"confirm": {"looks": [3, 5]}},
        {"confirm": {"contrasts": []}, "budgets": [0.8, 0.5, 0.4, 0.3]},
        {"training": {"finetune_epochs": 3}},
        {"training": {"match": "marginal"}},
        {"seed": 1},
    ],
)
def test_the_hash_covers_what_a_verdict_depends_on(
    tmp_path: Path, fields: dict[str, object]
) -> None:
    assert written_plan(tmp_path / "other", **fields)["hash"] != written_plan(tmp_path)["hash"]


def test_growth_is_noted_and_another_question_is_refused(tmp_path: Path) -> None:
    begun = written_plan(tmp_path)
    grown = written_plan(tmp_path, budgets=[0.5, 0.25])
    (note,) = grown["growth"]
    assert note["hash"] == begun["hash"] != grown["hash"]
    plan = load_plan(Store(tmp_path, "small"))
    assert [growth.model_dump(mode="json") for growth in plan.growth] == [note]
    assert plan.model_dump(mode="json", by_alias=True) == grown["plan"]
    with pytest.raises(GrowthError, match="tolerance"):
        written_plan(tmp_path, budgets=[0.5, 0.25], tolerance=0.01)
    assert json.loads((tmp_path / "small" / "plan.json").read_bytes()) == grown


def test_other_images_under_the_same_name_are_another_question(tmp_path: Path) -> None:
    """The validation split would be another one, and old records would stand beside new ones."""
    for path in ("train/a/0.jpg", "train/b/0.jpg", "val/a/0.jpg"):
        (tmp_path / "images" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "images" / path).touch()
    folder = {"image_folder": {"root": str(tmp_path / "images"), "val_fraction": 0.5}}
    workload = {"model": "resnet18", "dataset": folder}
    begun = written_plan(tmp_path, workload=workload)
    assert written_plan(tmp_path, workload=workload) == begun
    (tmp_path / "images/train/a/1.jpg").touch()
    with pytest.raises(GrowthError, match=r"workload\.dataset: other files"):
        written_plan(tmp_path, workload=workload)
    assert json.loads((tmp_path / "small" / "plan.json").read_bytes()) == begun


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"plan": {}}'])
def test_a_plan_that_is_torn_is_named_and_left_alone(tmp_path: Path, content: str) -> None:
    written_plan(tmp_path)
    path = tmp_path / "small" / "plan.json"
    path.write_text(content)
    for look in (lambda: load_plan(Store(tmp_path, "small")), lambda: written_plan(tmp_path)):
        with pytest.raises(CorruptFileError, match=r"small/plan\.json"):
            look()
    assert path.read_text() == content


def test_records_of_no_sweep_are_not_an_empty_table(tmp_path: Path) -> None:
    written_plan(tmp_path)
    assert load_records("small", tmp_path).empty
    with pytest.raises(NoSweepError, match=r"no sweep 'smal'.*there are: small"):
        load_records("smal", tmp_path)
