"""A problem is one short line, whatever the file holds, and an error shows so many of them."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from prunetune.config.problems.errors import Problem, Problems, SpecError

TEXT = st.text(max_size=20) | st.text(max_size=3).map(lambda text: text * 5000)


@settings(max_examples=30)
@given(TEXT, TEXT, TEXT, TEXT)
def test_a_problem_is_one_short_line_without_control_characters(key, message, value, allowed):
    line = str(Problem(("arms", key, 0), message, value, allowed, line=3))
    assert line.startswith("line 3: arms")
    assert line.isprintable()
    assert len(line) < 4500


def test_a_long_value_shows_its_ends_and_its_length():
    line = str(Problem(("name",), "is no name", "a" + "x" * 100_000 + "z"))
    assert "got 'ax" in line
    assert "xz'" in line
    assert "100,004 characters" in line
    assert len(line) < 500


def test_an_error_lists_a_hundred_problems_and_counts_the_rest():
    problems = [Problem(("budgets", i), "not a budget", line=i + 1) for i in range(130)]
    lines = str(SpecError(problems, "sweep.yaml")).splitlines()
    assert lines[0] == "sweep.yaml: 130 problems"
    assert lines[100] == "  line 100: budgets[99]: not a budget"
    assert lines[101:] == ["  … and 30 more"]


def test_no_more_problems_are_looked_for_than_anybody_reads():
    problems = Problems()
    for i in range(2000):
        problems.unknown((f"k{i}",), ("name", "seed"))
    assert len(problems.found) == 500
    assert str(SpecError(problems.found)).startswith("at least 500 problems\n")
