"""Settings of all tests: one thread per process; the longest kinds run only on request."""

from __future__ import annotations

import os
from typing import Any

# Two workers share the cores, and results on one thread repeat bit for bit. Libraries read these
# variables when they are loaded, so they are set before torch is; processes of tests inherit them.
for _library in ("OMP", "MKL", "OPENBLAS"):
    os.environ[f"{_library}_NUM_THREADS"] = "1"

import pytest  # noqa: E402
from hypothesis import HealthCheck, settings  # noqa: E402
from xdist.scheduler import LoadScopeScheduling  # noqa: E402

# A machine may be busy, so examples have no deadline, and drawing them may be slow.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


ON_REQUEST = ("matrix", "cluster")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect the tests of each kind in `ON_REQUEST` that the expression after -m does not name.

    A "not matrix" in addopts would not do: a second -m replaces the first.
    """
    left_out = [kind for kind in ON_REQUEST if kind not in config.option.markexpr]
    groups: dict[bool, list[pytest.Item]] = {True: [], False: []}
    for item in items:
        groups[any(map(item.get_closest_marker, left_out))].append(item)
    if groups[True]:
        config.hook.pytest_deselected(items=groups[True])
        items[:] = groups[False]


BROWSER = ("tests/e2e/test_mlflow_ui.py", "tests/e2e/test_report_page.py")


class Scheduling(LoadScopeScheduling):
    """Hands out test by test, except for tests/e2e: what starts Ray goes to one worker.

    xdist's own groups (`--dist loadgroup`) do nothing under pytest 9.2.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        if not file.startswith("tests/e2e/"):
            return nodeid
        return file if file in BROWSER else "Ray"


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling | None:
    """Scheduling as above, unless another is asked for by --dist."""
    return Scheduling(config, log) if config.getvalue("dist") == "load" else None
