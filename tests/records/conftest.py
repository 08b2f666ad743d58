"""An object store for the tests of this room, started when the first one asks for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.object_server import object_server

KEYS = {"AWS_ACCESS_KEY_ID": "key-id-of-the-test", "AWS_SECRET_ACCESS_KEY": "secret-of-the-test"}


@pytest.fixture(scope="session")
def port() -> Iterator[int]:
    """The port of an object store on loopback."""
    with object_server() as port:
        yield port


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch, tmp_path) -> dict[str, str]:
    """Credentials in the environment, and logs in a folder of the test."""
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return KEYS
