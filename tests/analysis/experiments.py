"""The committed experiments: their plans, bound again without their data, and their records."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from prunetune.bind import bind
from prunetune.config.file.parse import parse_tree
from prunetune.config.file.yaml import read
from prunetune.config.problems.errors import Problems
from prunetune.plan import Plan
from prunetune.records.record import Record

FOLDERS = sorted((Path(__file__).parents[2] / "experiments").glob("20*/records"))
NAMES = [folder.parent.name for folder in FOLDERS]


@cache
def experiment(name: str) -> tuple[Plan, dict[str, Record]]:
    """The plan and the records of a committed experiment.

    The checkpoints are not there: a dense network that was loaded counts as one that was trained.
    """
    folder = FOLDERS[NAMES.index(name)].parent
    tree, _ = read(folder / "sweep.yaml")
    dense = tree["workload"].get("dense", {})
    if dense.get("checkpoint"):
        tree["workload"]["dense"] = {"train": {"epochs": dense["checkpoint"]["epochs"]}}
        tree["confirm"]["dense"] = "shared"
    problems = Problems()
    spec = parse_tree(tree, problems)
    problems.check(name)
    assert spec is not None
    plan = bind(spec, problems)
    files = sorted((folder / "records").glob("*.json"))
    records = [Record.model_validate_json(file.read_bytes()) for file in files]
    return plan, {record.key: record for record in records}
