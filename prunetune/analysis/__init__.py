"""The report of a sweep: frontier, verdicts, ledger, and the page that shows them."""

from prunetune.analysis.page.terminal import text_table
from prunetune.analysis.page.write import write_report
from prunetune.analysis.report import Report, analyse

__all__ = ["Report", "analyse", "text_table", "write_report"]
