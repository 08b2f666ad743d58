"""Prune a network or train a thinner one? prunetune answers at equal FLOPs.

The public API, each name imported when it is first used:

    from prunetune import load_sweep, plan_sweep, run_sweep, load_records, rebuild
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prunetune.compress.network.rebuild import rebuild
    from prunetune.config.file.parse import load_sweep
    from prunetune.sweep import load_records, plan_sweep, run_sweep

__all__ = ["load_records", "load_sweep", "plan_sweep", "rebuild", "run_sweep"]

_HOMES = {
    "load_records": "prunetune.sweep",
    "load_sweep": "prunetune.config.file.parse",
    "plan_sweep": "prunetune.sweep",
    "rebuild": "prunetune.compress.network.rebuild",
    "run_sweep": "prunetune.sweep",
}


def __getattr__(name: str) -> object:
    """Import a public name on first use, so that `import prunetune` stays light."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """The public names, for completion."""
    return sorted([*globals(), *__all__])
