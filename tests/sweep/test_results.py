"""What came out of a sweep, in Python: it agrees with the files of the storage."""

from __future__ import annotations

import json

import pytest
import torch

from prunetune import audit, frontier, load_curves, load_records, load_winner, rebuild
from prunetune.deploy.trained import NoNetworkError, trained_network
from prunetune.models.pretrained import load_state
from prunetune.records.architecture import Architecture
from prunetune.records.store import Store
from prunetune.sweep.results import NoWinnerError


def shapes(model: torch.nn.Module) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in model.state_dict().items()}


def test_a_row_of_the_table_is_rebuilt_as_its_record_is(swept: Store) -> None:
    table, records = load_records("small", swept.storage), swept.records()
    assert set(table.key) == set(records)
    assert {record.arm for record in records.values()} == {None, "thin", "pruned"}
    for _, row in table.iterrows():
        record = records[row.key]
        expected = shapes(rebuild(record.architecture))
        stored = json.loads(swept.record_file(row.key).read())
        for form in (row, row.to_dict(), record, stored, stored["architecture"]):
            assert shapes(rebuild(form)) == expected
    for row in table.itertuples():
        assert shapes(rebuild(row)) == shapes(rebuild(records[row.key].architecture))


@pytest.mark.parametrize("nothing", [{"architecture": None}, {"architecture": float("nan")}, 3])
def test_what_has_no_architecture_is_refused(nothing: object) -> None:
    with pytest.raises(ValueError, match="no architecture"):
        rebuild(nothing)


def test_curves_are_those_of_the_records(swept: Store) -> None:
    curves, records = load_curves("small", swept.storage), swept.records()
    assert len(curves) == sum(record.epochs for record in records.values()) > 0
    for key, rows in curves.groupby("key"):
        assert list(rows.val_acc1) == [epoch.val_acc1 for epoch in records[key].curve]
        assert list(rows.epoch) == [*range(1, records[key].epochs + 1)]


def test_frontier_and_audit_are_those_of_the_report(swept: Store) -> None:
    report = json.loads(swept.report_folder.file("report.json").read())
    table = frontier("small", swept.storage)
    assert list(table.study) == [row["study"] for row in report["frontier"]]
    assert list(table.test_acc1) == [row["test_acc1"] for row in report["frontier"]]
    findings = [finding.model_dump(mode="json") for finding in audit("small", swept.storage)]
    assert findings == report["findings"] != []


@pytest.mark.parametrize("study", ["pruned@0.5", "thin@0.5", "thin@0.5 marginal", "dense"])
def test_a_winner_has_the_weights_and_the_shape_of_its_confirm_trial(
    swept: Store, study: str
) -> None:
    model = load_winner("small", study, swept.storage)
    assert not model.training
    (record, *_) = sorted(
        (
            r
            for r in swept.records().values()
            if (r.study or "dense").startswith(study) and r.phase in ("dense", "confirm")
        ),
        key=lambda r: r.seed,
    )
    weights = load_state(swept.network_folder(record).weights.path)
    assert all(torch.equal(tensor, weights[k]) for k, tensor in model.state_dict().items())
    assert model(torch.zeros(2, *record.architecture.input_shape)).shape == (2, 10)


def test_the_seed_chooses_among_the_confirmed_networks(swept: Store) -> None:
    first, second = (load_winner("small", "thin@0.5", swept.storage, seed=s) for s in (1000, 1001))
    differing = [
        torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True)
    ]
    assert not all(differing)
    with pytest.raises(NoWinnerError, match=r"of seed 7; seeds with one: 1000, 1001"):
        load_winner("small", "thin@0.5", swept.storage, seed=7)


def test_an_unknown_study_is_named_beside_those_that_there_are(swept: Store) -> None:
    with pytest.raises(NoWinnerError, match=r"'pruned@0\.6'.*did you mean 'pruned@0\.5'.*dense"):
        load_winner("small", "pruned@0.6", swept.storage)


def test_a_search_trial_has_no_network(swept: Store) -> None:
    record = next(r for r in swept.records().values() if r.phase == "search")
    assert isinstance(record.architecture, Architecture)
    with pytest.raises(NoNetworkError, match="a search trial keeps none"):
        trained_network(swept, record)
