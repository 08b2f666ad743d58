"""Addresses of MLflow that are to be used here and now: no secret in them, and somebody there."""

from __future__ import annotations

from pathlib import Path

import pytest

from prunetune.config.file.growth import growth
from prunetune.config.file.parse import parse
from prunetune.config.problems.errors import Problem
from tests.config.sweeps import SWEEP, replaced


def problems(uri: str, folder: Path, field: str = "uri") -> list[Problem]:
    file = folder / "sweep.yaml"
    written = "tracking: {uri: null" if field == "uri" else "tracking: {"
    end = "" if field == "uri" else ", "
    file.write_text(replaced(written, f"tracking: {{{field}: '{uri}'{end}"))
    return parse(file)[1].found


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("postgresql+psycopg2://me:s3cret@db/mlflow", "postgresql+psycopg2://db/mlflow"),
        ("postgresql+psycopg2://me:s3@cret@db/mlflow", "postgresql+psycopg2://db/mlflow"),
        ("http://me:s3cret@host:5000", "http://host:5000"),
        ("https://s3cret@host", "https://host"),
        ("postgresql+psycopg2://db/x?password=s3cret", "postgresql+psycopg2://db/x?password=…"),
        ("http://host/?a=1&api_token=s3cret", "http://host/?a=1&api_token=…"),
    ],
)
def test_a_secret_is_refused_with_the_cure_and_never_shown(
    uri: str, shown: str, tmp_path: Path
) -> None:
    (problem,) = problems(uri, tmp_path)
    words = str(problem)
    assert "tracking.uri: holds a" in words
    assert f"got {shown!r}" in words
    assert "PGPASSFILE" in words
    assert "MLFLOW_TRACKING_PASSWORD" in words
    assert "s3cret" not in words
    assert problem.line == SWEEP[: SWEEP.index("tracking:")].count("\n") + 1


def test_a_folder_and_a_missing_driver_are_refused(tmp_path: Path) -> None:
    (folder,) = problems("file:///data/mlruns", tmp_path)
    assert "no runs in folders any more" in str(folder)
    (driver,) = problems("mysql://me@db/mlflow", tmp_path)
    assert "needs the Python module MySQLdb, which is not installed here" in str(driver)


def test_what_can_be_reached_is_taken(tmp_path: Path) -> None:
    for uri in ("postgresql+psycopg2://me@db/mlflow", "http://host:5000", "sqlite:////a/b@c:d.db"):
        assert problems(uri, tmp_path) == []


def test_a_password_of_an_older_version_is_not_repeated_in_the_growth() -> None:
    before = {"tracking": {"uri": "postgresql://me:s3cret@db/mlflow"}}
    after = {"tracking": {"uri": "postgresql+psycopg2://me@db/mlflow"}}
    (line,) = growth(before, after)
    assert line.startswith("tracking.uri: 'postgresql://db/mlflow' -> ")


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("studies.db", "did you mean 'sqlite:///studies.db'?"),
        ("none", "did you mean null?"),
        ("sqlite:", "the database's file or name is missing"),
        ("sqlite:///", "the database's file or name is missing"),
        ("postgresql+psycopg2://host", "the database's file or name is missing"),
        ("redis://host/0", "Optuna knows: sqlite, postgresql, mysql"),
        ("http://host:5000", "Optuna knows: sqlite, postgresql, mysql"),
        ("file:///studies.db", "Optuna knows: sqlite, postgresql, mysql"),
        ("mysql://me@db/studies", "needs the Python module MySQLdb"),
        ("postgresql+psycopg2://me:s3cret@db/studies", "holds a password"),
        ("sqlite:///~/studies.db", "stay as they are in an address"),
    ],
)
def test_an_address_that_is_no_optuna_storage_is_refused_in_the_file(
    uri: str, said: str, tmp_path: Path
) -> None:
    (problem,) = problems(uri, tmp_path, "optuna")
    words = str(problem)
    assert "tracking.optuna: " in words
    assert said in words
    assert "s3cret" not in words


def test_an_optuna_storage_that_can_be_reached_is_taken(tmp_path: Path) -> None:
    for uri in ("sqlite:////a/b.db", "sqlite:///b.db", "postgresql+psycopg2://me@db/studies"):
        assert problems(uri, tmp_path, "optuna") == []
