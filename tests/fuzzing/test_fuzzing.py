"""Mutated sweep files and records never end in a traceback, and garbage never passes.

A short form of `python -m tests.fuzzing 0 10000`. hypothesis shrinks what it finds to one slip.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzzing.bases import bases
from tests.fuzzing.stored_records import try_record
from tests.fuzzing.sweep_files import ignored, try_sweep_file

CHANCES = st.randoms(use_true_random=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzzing")


@pytest.mark.slow
@settings(max_examples=100)
@given(chance=CHANCES)
def test_a_mutated_sweep_file_is_refused_in_words_or_planned(
    chance: random.Random, folder: Path
) -> None:
    text, runs = try_sweep_file(chance, folder)
    assert [complaints for _, complaints in runs if complaints] == [], text


@pytest.mark.slow
@settings(max_examples=20)
@given(chance=CHANCES)
def test_a_mutated_record_is_read_or_named(chance: random.Random, folder: Path) -> None:
    text, runs = try_record(chance, folder)
    assert [complaints for _, complaints in runs if complaints] == [], text


@pytest.mark.parametrize("text", bases(), ids=["shipped", "every notation", "skeleton"])
def test_all_that_a_right_file_says_is_read(text: str) -> None:
    assert list(ignored(text)) == []
