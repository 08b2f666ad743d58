"""Commands that a user may type next, as the shell takes them."""

from __future__ import annotations

import shlex
from pathlib import Path

DEFAULT_STORAGE = "runs"


def shell_command(verb: str, sweep: str, storage: str | Path) -> str:
    """`prunetune VERB SWEEP`, with the storage unless it is the default."""
    where = [] if str(storage) == DEFAULT_STORAGE else ["--storage", str(storage)]
    return shlex.join(["prunetune", verb, sweep, *where])
