"""Mutated records: `status` and `report` read them, or name the file; they never fall over one."""

from __future__ import annotations

import json
import random
from functools import cache
from pathlib import Path
from typing import Any

from prunetune.records.key import digest
from prunetune.records.store import Store
from tests.analysis.sweeps import make_plan, noisy, run
from tests.fuzzing.judging import Tried, tried
from tests.fuzzing.mutations import UNKNOWN, is_garbage, mutated_text, mutated_tree

_FREE = ("config", "inputs", "departures", "wall_s", "seeds", "versions")
"""Fields of a record that hold whatever names there are."""


@cache
def _records(folder: Path) -> dict[Path, bytes]:
    """The records of a made-up sweep under a storage folder, once it has been written there."""
    plan = make_plan(budgets=(0.5,), sweep="made-up", seeds=3, trials=2)
    store, facts = Store(folder, "made-up"), plan.model_dump(mode="json", by_alias=True)
    store.plan_file.write_json({"hash": digest(facts), "growth": [], "spec": {}, "plan": facts})
    for record in run(plan, noisy({"thin": 0.93, "pruned": 0.94})).values():
        store.write_record(record)
    for verb in ("status", "report"):  # loads the libraries
        assert tried((), verb, "made-up", "--storage", folder).code == 0
    return {path: path.read_bytes() for path in sorted((folder / "made-up/records").glob("*.json"))}


def try_record(chance: random.Random, folder: Path) -> tuple[str, list[tuple[Tried, list[str]]]]:
    """A mutated record, and `status` and `report` on its sweep with what is wrong with that."""
    records = _records(folder)
    path = chance.choice(list(records))
    garbage = False
    if chance.random() < 0.3:
        text, kinds = mutated_text(records[path].decode(), chance)
    else:
        donors: list[Any] = [json.loads(content) for content in records.values()]
        tree, kinds = mutated_tree(json.loads(records[path]), donors, chance)
        text = json.dumps(tree, indent=1)
        fixed = {key: value for key, value in tree.items() if key not in _FREE}
        garbage = is_garbage(kinds) and UNKNOWN in json.dumps(fixed)
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        results = [
            tried(kinds, "status", "made-up", "--storage", folder, "--json"),
            tried(kinds, "report", "made-up", "--storage", folder),
        ]
    finally:
        path.write_bytes(records[path])
    return text, [(result, _complaints(result, path.name, garbage)) for result in results]


def _complaints(result: Tried, name: str, garbage: bool) -> list[str]:
    complaints = list(result.complaints((0, 3)))
    if result.code == 3 and name not in result.said:
        complaints.append(f"does not name the file: {result.said[:200]}")
    if garbage and result.code == 0:
        complaints.append("garbage is read")
    return complaints
