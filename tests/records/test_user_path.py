"""Paths are read as people write them."""

from __future__ import annotations

from pathlib import Path

import pytest

from prunetune.records.places import storage_place
from prunetune.records.user_path import UserPathError, user_path


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("written", ["~/data", "$HOME/data", "${HOME}/data", "data", "./data"])
def test_a_path_means_the_same_however_it_is_written(home: Path, written: str) -> None:
    assert user_path(written) == home / "data" == storage_place(written)
    assert user_path(user_path(written)) == user_path(written)


@pytest.mark.parametrize("written", ["$NO_SUCH_FOLDER/data", "${NO_SUCH_FOLDER}/data"])
def test_a_variable_that_is_not_set_is_named(written: str) -> None:
    with pytest.raises(UserPathError, match=r"NO_SUCH_FOLDER.* is not set") as refused:
        user_path(written)
    assert refused.value.exit_code == 2
