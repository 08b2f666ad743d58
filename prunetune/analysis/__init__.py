"""The report of a sweep: frontier, verdicts, ledger, and the page that shows them.

Each name is imported when it is first used, so that whoever needs one room loads only that.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prunetune.analysis.page.terminal import text_table
    from prunetune.analysis.page.write import write_report
    from prunetune.analysis.report import Report, analyse

__all__ = ["Report", "analyse", "text_table", "write_report"]

_HOMES = {
    "Report": "prunetune.analysis.report",
    "analyse": "prunetune.analysis.report",
    "text_table": "prunetune.analysis.page.terminal",
    "write_report": "prunetune.analysis.page.write",
}


def __getattr__(name: str) -> object:
    """Import a public name on first use."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
