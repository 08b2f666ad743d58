"""The audit as text: all rules with their reasons, and the findings of a sweep."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import fill

from prunetune.analysis.audit.finding import SEVERITIES, Finding
from prunetune.analysis.audit.rule import all_rules
from prunetune.analysis.format import listing, plural

_WIDTH = 100
_SHOWN = 4
"""Keys that a finding lists; report.json has them all."""


def rules_table() -> str:
    """All rules as a Markdown table: what each looks for, how grave that is, and why it matters."""
    rows = [("about", "rule", "looks for", "severity", "why it matters"), ("---",) * 5]
    rows += [
        (each.topic, f"`{each.name}`", each.summary, ", ".join(each.severities), each.reason)
        for each in all_rules()
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def findings_text(sweep: str, findings: Sequence[Finding]) -> str:
    """The findings for a terminal, with what to do and the records, and a count at the end."""
    parts = [_paragraph(finding) for finding in findings]
    counts = {s: sum(finding.severity == s for finding in findings) for s in SEVERITIES}
    tally = listing(plural(number, severity) for severity, number in counts.items())
    return "\n\n".join([*parts, f"audit of {sweep}: {tally}"])


def _paragraph(finding: Finding) -> str:
    lines = [
        f"{finding.severity}: {finding.rule}",
        _indented(finding.message),
        _indented(f"What to do: {finding.advice}"),
    ]
    if finding.records:
        rest = len(finding.records) - _SHOWN
        keys = [*finding.records[:_SHOWN], *([f"{rest} more"] if rest > 0 else [])]
        lines.append(_indented(f"Records: {', '.join(keys)}"))
    return "\n".join(lines)


def _indented(text: str) -> str:
    return fill(text, _WIDTH, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False)
