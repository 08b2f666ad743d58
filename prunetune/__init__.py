"""Prune a network or train a thinner one? prunetune answers at equal FLOPs."""

from __future__ import annotations

from importlib import import_module
from typing import Any

PUBLIC = {
    "load_records": "prunetune.sweep",
    "load_sweep": "prunetune.config.file.parse",
    "plan_sweep": "prunetune.sweep",
    "rebuild": "prunetune.compress.network.rebuild",
    "run_sweep": "prunetune.sweep",
}
__all__ = list(PUBLIC)


def __getattr__(name: str) -> Any:
    """The public names, each imported when it is first asked for."""
    if name in PUBLIC:
        return getattr(import_module(PUBLIC[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
