"""A sweep file has a size, and what it asks for has one: slips of the hand end in words at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from prunetune.bind.study_builder import MOST_STUDIES
from prunetune.config.file.bounded import MOST_BYTES
from prunetune.config.file.model import MOST_ARMS, MOST_BUDGETS
from prunetune.config.file.yaml import dump, load, read
from prunetune.config.problems.errors import SpecError
from prunetune.config.space.reading import MOST_ENTRIES
from tests.cli.command import prunetune

QUICK = Path("sweeps/quickstart.yaml").read_text(encoding="utf-8")


def thin_arms(count: int) -> dict[str, Any]:
    return {f"thin{i}": {"method": "width_scaling"} for i in range(count)}


def said_of(path: str, value: Any, folder: Path) -> str:
    """What `plan` says of the quick start with another value at a dotted path."""
    tree = load(QUICK)[0]
    *parents, last = path.split(".")
    at = tree
    for part in parents:
        at = at[part]
    at[last] = value
    file = folder / "sweep.yaml"
    file.write_text(dump(tree), encoding="utf-8")
    done = prunetune("plan", file)
    assert done.returncode == 2
    return done.stderr


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("budgets", [round(0.1 + i / 1000, 3) for i in range(MOST_BUDGETS + 1)], "50 entries"),
        ("arms", thin_arms(MOST_ARMS + 1), "50 entries"),
        ("recipe.weight_decay", {"choice": list(range(MOST_ENTRIES + 1))}, "at most 1,000"),
        ("search.replicates", MOST_STUDIES, f"{15 * MOST_STUDIES:,} studies"),
        ("workload.model", {"resnet14": {"widths": [10**7] * 3}}, "cannot be built"),
    ],
)
def test_more_than_anybody_asks_for_is_refused_with_its_place(path, value, said, tmp_path):
    answer = said_of(path, value, tmp_path)
    assert path in answer
    assert said in answer


def test_a_mistake_beyond_those_that_are_noted_still_keeps_its_arm_from_being_bound(tmp_path):
    tree = load(QUICK)[0]
    tree["workload"]["dense"] |= {f"k{i}": i for i in range(600)}
    del tree["arms"]["pruned"]  # reinit trains its networks
    file = tmp_path / "sweep.yaml"
    file.write_text(dump(tree), encoding="utf-8")
    done = prunetune("plan", file)
    assert done.returncode == 2
    assert "at least 500 problems" in done.stderr


@pytest.mark.parametrize("size", [MOST_BYTES + 1, None])
def test_a_file_that_is_too_long_or_has_no_end_is_refused(size: int | None, tmp_path: Path):
    file = tmp_path / "long.yaml" if size else Path("/dev/zero")
    if size:
        file.write_text("#" * size)
    with pytest.raises(SpecError, match="larger than"):
        read(file)
