"""Ray's token: whoever knows it may run commands on a cluster, and nobody else."""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ray._raylet import AuthenticationTokenLoader, Config  # type: ignore[attr-defined]

_MODE, _TOKEN, _PATH = "RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"


@contextmanager
def own_token() -> Iterator[None]:
    """Guard a Ray that starts in this block by a new token, whatever the environment says.

    Ray listens on all interfaces, and without a token it runs commands for anybody. Ray's own token
    file can be read by all users of the machine; this one, only by its owner.
    """
    with tempfile.TemporaryDirectory(prefix="prunetune-token-") as folder:
        file = Path(folder) / "token"
        file.touch(mode=0o600)
        file.write_text(secrets.token_hex(32))
        with _environment({_MODE: "token", _PATH: str(file), _TOKEN: None}):
            yield


def given_token() -> str:
    """The user's token: by RAY_AUTH_TOKEN, RAY_AUTH_TOKEN_PATH or Ray's own file; "" if none.

    Raises:
        AuthenticationError: RAY_AUTH_TOKEN_PATH names a file that has no token.
    """
    loader = AuthenticationTokenLoader.instance()
    loader.reset_cache()
    token: str = loader.get_raw_token(ignore_auth_mode=True)
    return token


@contextmanager
def token_mode(mode: str) -> Iterator[None]:
    """Let Ray show the user's token in this block (`token`), or none (`disabled`)."""
    with _environment({_MODE: mode}):
        yield


@contextmanager
def _environment(changes: dict[str, str | None]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in changes}
    _set(changes)
    try:
        yield
    finally:
        _set(before)


def _set(changes: dict[str, str | None]) -> None:
    for name, value in changes.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    Config.initialize("")  # Ray reads the mode only once
    AuthenticationTokenLoader.instance().reset_cache()
