"""Whole sweeps, servers and browsers. Tests that share services run on one worker."""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).parent


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark every test of this folder `e2e`, and keep it with those that use the same services."""
    if item.path.is_relative_to(HERE):
        item.add_marker("e2e")
        browser = item.get_closest_marker("browser") is not None
        item.add_marker(pytest.mark.xdist_group("browser" if browser else "ray"))
