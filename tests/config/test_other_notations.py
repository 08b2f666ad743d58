"""Notations of other tools and habits are understood, or refused with what was meant."""

from __future__ import annotations

import pytest
import yaml

from prunetune.config.budget import read_budget
from prunetune.config.budget_hints import budget_meant
from prunetune.config.file.names import sweep_name
from prunetune.config.file.tracking_uri import tracking_uri
from prunetune.config.space.range_hints import range_meant


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("50%", "0.5"),
        ("50 %", "0.5"),
        ("12,5 percent", "0.125"),
        ("0,5", "0.5"),
        ("1/2", "0.5"),
        (50, "0.5"),
        (50, "50x"),
        (2, "2x"),
        ("3X", "3x"),
        ("2.11 X", "2.11x"),
        ("63m", "63M"),
        ("63 MMACs", "63M"),
        ("126 MFLOPs", "63M"),
        ({"sparsity": "90%"}, "{sparsity: 0.9}"),
        ({"sparsity": 90}, "{sparsity: 0.9}"),
    ],
)
def test_a_budget_in_another_notation_is_refused_with_ours(written, meant):
    with pytest.raises(ValueError, match="did you mean") as refused:
        read_budget(written)
    assert meant in str(refused.value)
    cure = yaml.safe_load((budget_meant(written) or "").partition(" (")[0])
    read_budget(cure)  # the cure is a budget


@pytest.mark.parametrize("written", ["half", None, True, "0%", "100%", "1/0", "1X", -0.5, 1, ""])
def test_nothing_is_guessed_where_nothing_is_meant(written):
    with pytest.raises(ValueError, match=r"^(?!.*did you mean).*$"):
        read_budget(written)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ({"values": [0.1, 0.2]}, "{choice: [0.1, 0.2]}"),
        ({"values": ["a", "b"]}, "{choice: [a, b]}"),
        ({"grid_search": [1, 2]}, "{choice: [1, 2]}"),
        ({"value": 3}, "3"),
        ([0.1, 0.2], "{choice: [0.1, 0.2]} or {float: [0.1, 0.2]}"),
        ([64, 32], "{choice: [64, 32]}"),
        ([32, 64, 128], "{choice: [32, 64, 128]}"),
        ({"min": 1, "max": 5}, "{int: [1, 5]}"),
        ({"min": 0.1, "max": 0.5}, "{float: [0.1, 0.5]}"),
        ({"distribution": "uniform", "min": 0, "max": 1}, "{float: [0, 1]}"),
        ({"distribution": "log_uniform", "min": 0.1, "max": 1}, "{float: [0.1, 1], log: true}"),
        ({"distribution": "int_uniform", "min": 0, "max": 9}, "{int: [0, 9]}"),
        ({"low": 1e-3, "high": 0.5, "log": True}, "{float: [0.001, 0.5], log: true}"),
        ({"loguniform": [0.01, 0.1]}, "{float: [0.01, 0.1], log: true}"),
        ({"power": 2}, None),
        ({"min": 1}, None),
        ({"values": []}, None),
        ([[1], [2]], None),
        ([], None),
        (0.1, None),
    ],
)  # fmt: skip
def test_a_range_of_another_tool_is_translated(written, meant):
    assert range_meant(written) == meant


@pytest.mark.parametrize("uri", ["None", "NONE", "null", "Null", "", " none"])
def test_other_words_for_nothing_are_refused_with_both_cures(uri):
    with pytest.raises(ValueError, match=r"none \(no MLflow\) or null \(a store beside"):
        tracking_uri(uri)


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("localhost:5000", "'http://localhost:5000'"),
        ("127.0.0.1:5000", "'http://127.0.0.1:5000'"),
        ("mlflow.lab.org:80/x", "'http://mlflow.lab.org:80/x'"),
        ("mlruns", "sqlite:////folder"),
        ("htp://host", "MLflow knows: http, https, sqlite"),
        ("http:", "sqlite:////folder"),
    ],
)
def test_an_address_that_mlflow_does_not_know_is_refused_with_the_cure(uri, said):
    with pytest.raises(ValueError, match="is no address") as refused:
        tracking_uri(uri)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    "uri",
    [
        "none", "http://h:5000", "https://h/x", "sqlite:////a/mlflow.db", "databricks",
        "postgresql+psycopg2://me:p@db/mlflow", "file:///a/mlruns", "databricks://profile",
    ],
)  # fmt: skip
def test_addresses_that_mlflow_knows_stay_as_they_are(uri):
    assert tracking_uri(uri) == uri


@pytest.mark.parametrize(
    "name", ["dense", "SPARSE", "mlflow.db", "MLflow.DB", "mlflow.db-wal", "mlartifacts", "Dense"]
)
def test_names_of_what_lies_beside_the_sweeps_are_taken(name):
    with pytest.raises(ValueError, match=f"is taken by .*such as 'sweep-{name}'"):
        sweep_name(name)
    assert sweep_name(f"sweep-{name}") == f"sweep-{name}"


@pytest.mark.parametrize("name", ["con", "NUL", "aux.v2", "Com1", "lpt9.yaml", "nul.a.b"])
def test_names_of_devices_on_windows_are_refused(name):
    with pytest.raises(ValueError, match=f"device on Windows; .*'sweep-{name}'"):
        sweep_name(name)


@pytest.mark.parametrize("name", ["console", "com", "densenet", "mlflow", "nul-1", "lpt10"])
def test_names_that_only_resemble_them_are_free(name):
    assert sweep_name(name) == name
