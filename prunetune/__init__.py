"""Prune a network or train a thinner one? prunetune answers at equal FLOPs.

The public API, each name imported when it is first used:

    from prunetune import load_sweep, plan_sweep, run_sweep, SweepSpec
    from prunetune import load_records, load_curves, frontier, audit, load_winner, rebuild
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prunetune.compress.network.rebuild import rebuild
    from prunetune.config.file.model import SweepSpec
    from prunetune.config.file.parse import load_sweep
    from prunetune.sweep.orchestrate import plan_sweep, run_sweep
    from prunetune.sweep.results import audit, frontier, load_curves, load_records, load_winner

__all__ = [
    "SweepSpec",
    "audit",
    "frontier",
    "load_curves",
    "load_records",
    "load_sweep",
    "load_winner",
    "plan_sweep",
    "rebuild",
    "run_sweep",
]

_HOMES = {
    "SweepSpec": "prunetune.config.file.model",
    "audit": "prunetune.sweep.results",
    "frontier": "prunetune.sweep.results",
    "load_curves": "prunetune.sweep.results",
    "load_records": "prunetune.sweep.results",
    "load_sweep": "prunetune.config.file.parse",
    "load_winner": "prunetune.sweep.results",
    "plan_sweep": "prunetune.sweep.orchestrate",
    "rebuild": "prunetune.compress.network.rebuild",
    "run_sweep": "prunetune.sweep.orchestrate",
}


def __getattr__(name: str) -> object:
    """Import a public name on first use, so that `import prunetune` stays light."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """The public names and those that every module has, for completion."""
    return sorted([*(name for name in globals() if name.startswith("__")), *__all__])
