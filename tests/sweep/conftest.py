from __future__ import annotations

import pytest

from prunetune.records.store import Store
from tests.small_sweep import run_small_sweep


@pytest.fixture(scope="session")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return run_small_sweep(tmp_path_factory.mktemp("runs"))
