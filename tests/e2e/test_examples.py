"""The example that runs a sweep from Python."""

from __future__ import annotations

from tests.examples.test_examples import printed


def test_a_sweep_from_python_ends_in_a_table_and_is_not_run_twice(tmp_path):
    first = printed("sweep_from_python.py", tmp_path)
    again = printed("sweep_from_python.py", tmp_path)
    assert first.count("completed") == 12
    assert again.count("completed") == 0
    table = again[again.index("mean  count") :]
    assert first.endswith(table)
    assert all(f"\n{arm} " in table for arm in ("pruned", "reinit", "thin"))
