"""Says whether two runs of one sweep computed the same: the proof that a change changes nothing.

    python experiments/same_records.py BEFORE/SWEEP AFTER/SWEEP

Records are paired by key, and every field is compared to the last bit. Times, dates, memory and
versions may differ. Ends with exit code 1 if anything else does.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

FREE = {"started_at", "ended_at", "wall_s", "peak_memory_bytes", "versions", "seconds"}
"""Fields that no two runs share, wherever they stand in a record."""


def comparable(value: Any) -> Any:
    """`value` without the fields that may differ."""
    if isinstance(value, dict):
        return {k: comparable(v) for k, v in value.items() if k not in FREE}
    return [comparable(item) for item in value] if isinstance(value, list) else value


def records(sweep: Path) -> dict[str, dict[str, Any]]:
    """Key -> record, of every finished trial in the sweep's folder."""
    paths = sorted((sweep / "records").glob("*.json"))
    return {path.stem: comparable(json.loads(path.read_bytes())) for path in paths}


def main(before: Path, after: Path) -> int:
    old, new = records(before), records(after)
    common = old.keys() & new.keys()
    differing: Counter[str] = Counter()
    for key in common:
        fields = old[key].keys() | new[key].keys()
        differing.update(f for f in fields if old[key].get(f) != new[key].get(f))
    epochs = sum(len(old[key]["curve"]) for key in common)
    print(f"{len(old)} records before, {len(new)} after, {len(common)} keys in common")
    print(f"compared: {sum(len(old[key]) for key in common)} fields, {epochs} epochs of curves")
    for field, n in differing.most_common():
        print(f"  {field} differs in {n} records")
    same = bool(old) and old.keys() == new.keys() and not differing
    print("the same to the last bit" if same else "NOT the same")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
