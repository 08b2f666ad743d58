"""What a sweep found out: frontier, verdicts, ledger, and the page that shows them."""

from prunetune.analysis.files import write_report
from prunetune.analysis.report import Report, analyse
from prunetune.analysis.text import text_table

__all__ = ["Report", "analyse", "text_table", "write_report"]
