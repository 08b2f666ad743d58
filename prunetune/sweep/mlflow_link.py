"""Where MLflow shows a sweep: a link as soon as a server has its experiment, else a command."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from prunetune.sweep.commands import shell_command

if TYPE_CHECKING:
    from prunetune.tracking.mlflow_store import MlflowStore

Tell = Callable[[Iterable[str]], None]
_AGAIN_S = 2.0
"""Pause before a server is asked again for an experiment that it does not have yet."""


@dataclass
class MlflowLink:
    """The address of the sweep's frontier on a server."""

    address: str | None = None
    """None until the server has the sweep, and where there is no server."""


@contextmanager
def link_told(
    tracking: MlflowStore | None, sweep: str, storage: str | Path, say: Tell
) -> Iterator[MlflowLink]:
    """Tell where MLflow shows the sweep while the block runs.

    A server is asked in a thread until it answers or the block ends: nobody waits for it.
    """
    found = MlflowLink()
    over = threading.Event()
    if tracking is not None and _is_server(tracking):
        threading.Thread(target=_ask, args=(tracking, found, say, over), daemon=True).start()
    elif tracking is not None:
        say([f"MLflow: `{shell_command('ui', sweep, storage)}` shows all of it, from now on"])
    try:
        yield found
    finally:
        over.set()


def _frontier_link(tracking: MlflowStore) -> str | None:
    """The address of the sweep's frontier on its server; None if it is not there (yet)."""
    from prunetune.tracking.ui import UiError, frontier_of
    from prunetune.tracking.views import link

    try:
        found = frontier_of(tracking.uri, tracking.experiment, tracking.owner)
    except UiError:
        return None
    return link(tracking.uri, *found)


def _is_server(tracking: MlflowStore) -> bool:
    return tracking.uri.startswith(("http://", "https://"))


def _ask(tracking: MlflowStore, found: MlflowLink, say: Tell, over: threading.Event) -> None:
    while not over.wait(_AGAIN_S):
        if (address := _frontier_link(tracking)) is not None:
            found.address = address
            say([f"MLflow: {address}"])
            return
