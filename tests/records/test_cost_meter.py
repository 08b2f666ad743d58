"""The cost meter: seconds count once, and spent MACs survive a crash."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from prunetune.records.cost_meter import CostMeter
from prunetune.records.files import StoredFile


def test_every_second_counts_towards_one_stage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks = iter(range(100))
    monkeypatch.setattr(time, "perf_counter", lambda: next(ticks))
    meter = CostMeter(StoredFile(tmp_path / "spent.json"), 0)
    with meter.clock("compress"):  # from 1
        with meter.clock("sparsify"), meter.clock("score"):  # from 2 and 3, to 4 and 5
            pass
        with pytest.raises(RuntimeError), meter.clock("score"):  # from 6 to 7
            raise RuntimeError
    with meter.clock("train"):  # from 9 to 10
        pass
    seconds = meter.wall_s()
    assert seconds == {"score": 2, "sparsify": 2, "compress": 3, "train": 1, "total": 11}


def test_spent_macs_survive_and_attributed_macs_are_counted_anew(tmp_path: Path) -> None:
    first = CostMeter(StoredFile(tmp_path / "spent.json"), 7)
    first.spend(10)
    first.attribute("train", 10)
    again = CostMeter(StoredFile(tmp_path / "spent.json"), 7)
    again.spend(5)
    again.attribute("train", 5)
    macs = again.train_macs()
    assert (macs.spent, macs.train, macs.inherited, macs.total) == (15, 5, 7, 12)
    assert again.started_at == first.started_at
