"""Settings of all tests: one thread per process; `matrix` tests run only on request."""

from __future__ import annotations

import os

# Two workers share the cores, and results on one thread repeat bit for bit. Libraries read these
# variables when they are loaded, so they are set before torch is; processes of tests inherit them.
for _library in ("OMP", "MKL", "OPENBLAS"):
    os.environ[f"{_library}_NUM_THREADS"] = "1"

import pytest  # noqa: E402


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect `matrix` tests, unless the expression after -m names them.

    A "not matrix" in addopts would not do: a second -m replaces the first.
    """
    if "matrix" in config.option.markexpr:
        return
    matrix = [item for item in items if item.get_closest_marker("matrix")]
    if matrix:
        config.hook.pytest_deselected(items=matrix)
        items[:] = [item for item in items if not item.get_closest_marker("matrix")]
