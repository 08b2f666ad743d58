"""A rule of the audit, and the registry that finds all of them."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

from prunetune.analysis.audit.case import Case
from prunetune.analysis.audit.finding import SEVERITIES, Finding, Severity

Topic = Literal["arms", "amount", "search", "data", "dense network", "course"]
TOPICS: tuple[Topic, ...] = ("arms", "amount", "search", "data", "dense network", "course")
"""What rules are about, in the order of the table: equal treatment of the arms, amount of evidence,
the search, the use of data, the dense network, and how the sweep went."""
_PACKAGE = "prunetune.analysis.audit.rules"


class Flaw(NamedTuple):
    """A finding as its rule reports it, still without the rule's name."""

    severity: Severity
    message: str
    advice: str
    records: tuple[str, ...] = ()


Check = Callable[[Case], Iterable[Flaw]]


@dataclass(frozen=True)
class AuditRule:
    """One rule: what it looks for is its check, why that matters is its reason."""

    name: str
    topic: Topic
    severities: tuple[Severity, ...]
    """The severities that its findings may have."""
    summary: str
    """What it looks for: the first line of the check's docstring."""
    reason: str
    """Why that matters, with a source or a measurement."""
    check: Check

    def findings(self, case: Case) -> Iterator[Finding]:
        """Every breach of the rule."""
        for flaw in self.check(case):
            assert flaw.severity in self.severities, f"{self.name} declares no {flaw.severity}"
            yield Finding(rule=self.name, **flaw._asdict())


_RULES: dict[str, AuditRule] = {}


def rule(topic: Topic, *severities: Severity, reason: str) -> Callable[[Check], Check]:
    """Register a check as the rule of its name; the first line of its docstring is the summary."""

    def register(check: Check) -> Check:
        name = check.__name__
        summary = (check.__doc__ or "").partition("\n")[0]
        _RULES[name] = AuditRule(name, topic, severities, summary, reason, check)
        return check

    return register


def all_rules() -> tuple[AuditRule, ...]:
    """Every rule in the package `rules`, ordered by topic and name."""
    for module in pkgutil.iter_modules(importlib.import_module(_PACKAGE).__path__):
        importlib.import_module(f"{_PACKAGE}.{module.name}")
    return tuple(sorted(_RULES.values(), key=lambda r: (TOPICS.index(r.topic), r.name)))


def audit_findings(case: Case) -> tuple[Finding, ...]:
    """The findings of all rules, the gravest first."""
    found = [finding for each in all_rules() for finding in each.findings(case)]
    return tuple(sorted(found, key=lambda finding: SEVERITIES.index(finding.severity)))
