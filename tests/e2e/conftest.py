"""Whole sweeps, servers and browsers."""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).parent


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark every test of this folder `e2e`."""
    if item.path.is_relative_to(HERE):
        item.add_marker("e2e")
