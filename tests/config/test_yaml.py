from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prunetune.config.file.yaml import dump, flow, load, read
from prunetune.config.problems.errors import SpecError
from tests.config.trees import TEXT, TREES

AMBIGUOUS = ["yes", "on", "n", "1e5", "1e-5", ".5", "0x1f", "1_000", "~", "null", "true", "<<"]
AMBIGUOUS += ["1:30", "2026-01-01", "=", "", " ", "#", "- a", "a: b", ".inf", "0o7", "+1", "6."]


@given(st.dictionaries(TEXT, TREES, max_size=5))
def test_a_dumped_tree_reads_back_the_same(tree):
    assert load(dump(tree))[0] == tree


@pytest.mark.parametrize("text", AMBIGUOUS)
def test_text_that_looks_like_another_type_stays_text(text):
    assert load(dump({text: text}))[0] == {text: text}
    assert load(flow([text]))[0] == [text]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("1e-5", 1e-5),
        ("3e-4", 3e-4),
        ("1.e3", 1000.0),
        (".5", 0.5),
        ("-.inf", float("-inf")),
        ("010", 10),
        ("0x1F", 31),
        ("1_000", 1000),
        ("true", True),
        ("", None),
        ("~", None),
        *(
            (word, word)
            for word in ("A", "B", "on", "off", "yes", "No", "n", "none", "2.11x", "63M")
        ),
        *((word, word) for word in ("1:30", "2026-01-01", "e5", "1e", "1.2.3", "=")),
        ("!!str 12", "12"),
        ("!!float 3", 3.0),
    ],
)
def test_scalars_are_those_of_yaml_1_2(written, value):
    read_value = load(f"a: {written}")[0]["a"]
    assert read_value == value
    assert type(read_value) is type(value)


def test_every_value_knows_its_line():
    text = "# a comment\na:\n  b: 1\n  c: [x,\n      {d: 2}]\ne: &e\n  f: 3\ng: *e\n"
    tree, problems = load(text)
    assert tree == {"a": {"b": 1, "c": ["x", {"d": 2}]}, "e": {"f": 3}, "g": {"f": 3}}
    lines = problems.lines
    assert [lines[p] for p in [("a",), ("a", "b"), ("a", "c")]] == [2, 3, 4]
    assert [lines["a", "c", 0], lines["a", "c", 1], lines["a", "c", 1, "d"]] == [4, 5, 5]
    assert [lines["g",], lines["g", "f"]] == [8, 7]
    assert problems.line(("a", "b", "missing")) == 3


def test_all_duplicate_keys_are_reported_at_once():
    _, problems = load("a: 1\nb: {c: 1, c: 2}\na: 2\nd:\n- e: 1\n  e: 2\na: 3\n")
    assert [(p.path, p.line) for p in problems.found] == [
        (("b", "c"), 2),
        (("a",), 3),
        (("d", 0, "e"), 6),
        (("a",), 7),
    ]
    assert all("duplicate" in p.message for p in problems.found)


def test_a_mappings_own_keys_win_over_merged_ones():
    text = "base: &b {x: 1, y: 2}\nmore: &m {y: 3, z: 4}\na: {<<: *b, y: 9}\nc: {<<: [*b, *m]}\n"
    tree, problems = load(text)
    assert tree["a"] == {"x": 1, "y": 9}
    assert tree["c"] == {"x": 1, "y": 2, "z": 4}
    assert not problems.found


@pytest.mark.parametrize(
    "text",
    [
        "a: !!python/object/apply:os.system [ls]",
        "a: !!python/name:os.system ''",
        "a: !thing 1",
        "a: !!binary aGk=",
        "a: !!set {x, y}",
        "a: !!timestamp 2026-01-01",
        "!!python/name:os.system x: 1",
        "? [a, b]\n: 1",
        "a: !!int abc",
        'a: "\\ud800"',
        "<<: 3",
        f"a: 0x{'f' * 9999}",
        f"a: {'9' * 9999}",
    ],
)
def test_a_value_that_is_no_plain_data_is_reported_with_its_line(text):
    _, problems = load("ok: 1\n" + text)
    assert [p.line for p in problems.found] == [2]


@pytest.mark.parametrize(
    ("content", "line", "words"),
    [
        (b"", None, "empty"),
        (b"# nothing\n", None, "empty"),
        (b"[1, 2]", None, "mapping"),
        (b"text", None, "mapping"),
        (b"a: 1\nb: \xff\n", 2, "UTF-8"),
        (b"a: 1\nb: [1, 2\nc: 3\n", 3, "not YAML"),
        (b"a: 1\n\tb: 2\n", 2, "not YAML"),
        (b"a: 1\nb: \x01\n", 2, "not YAML"),
        (b"a: 1\n---\nb: 2\n", 2, "not YAML"),
        (b"a: *nobody\n", 1, "not YAML"),
        (b"a: &a [*a]\n", 1, "without end"),
        (b"[" * 1500, None, "deep"),
    ],
)
def test_a_file_without_a_mapping_is_refused_with_a_line(tmp_path, content, line, words):
    file = tmp_path / "sweep.yaml"
    file.write_bytes(content)
    with pytest.raises(SpecError, match=words) as caught:
        read(file)
    assert str(file) in str(caught.value)
    if line:
        assert [p.line for p in caught.value.problems] == [line]


def test_aliases_of_aliases_do_not_fill_the_memory():
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12)
    )
    with pytest.raises(SpecError, match="more values"):
        load(bomb)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path):
    for path in (tmp_path / "none.yaml", tmp_path):
        with pytest.raises(SpecError):
            read(path)
