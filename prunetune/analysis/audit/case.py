"""What the rules of the audit look at: a sweep's plan, its records, and what follows from them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from prunetune.agenda import Agenda, StudyOutcome
from prunetune.analysis.evidence.compared import Compared, compared_studies
from prunetune.analysis.evidence.confirmed import ConfirmedStudy
from prunetune.analysis.evidence.dense_gate import DenseDoubt, dense_doubts
from prunetune.analysis.evidence.frontier import DenseResult, FrontierRow
from prunetune.analysis.evidence.other_sweeps import OtherSweep
from prunetune.analysis.verdicts.frontiers import FrontierVerdict
from prunetune.analysis.verdicts.second_verdicts import SecondVerdict
from prunetune.analysis.verdicts.verdict import Verdict
from prunetune.plan import Plan, Study
from prunetune.records.record import Record


@dataclass(frozen=True)
class Case:
    """One sweep before the audit."""

    agenda: Agenda
    confirmed: Mapping[str, ConfirmedStudy]
    dense: DenseResult
    rows: Sequence[FrontierRow]
    verdicts: Sequence[Verdict]
    frontiers: Sequence[FrontierVerdict]
    other_sweeps: Sequence[OtherSweep] = ()
    """Sweeps in the same storage that use the same data."""
    second_verdicts: Sequence[SecondVerdict] = ()
    """The verdicts that shorter searches would have led to."""

    @property
    def plan(self) -> Plan:
        """The plan of the sweep."""
        return self.agenda.plan

    @property
    def records(self) -> Mapping[str, Record]:
        """All records of the sweep by key."""
        return self.agenda.trials.records

    @cached_property
    def compared(self) -> tuple[Compared, ...]:
        """Everything that the plan compares."""
        return tuple(compared_studies(self.plan))

    @cached_property
    def dense_doubts(self) -> tuple[DenseDoubt, ...]:
        """Every reason to withhold the headline."""
        networks = [r for r in self.records.values() if r.phase == "dense"]
        claimed = smallest_claim(self.verdicts, self.frontiers, self.plan.confirm.margin)
        return dense_doubts(self.plan, networks, self.dense, self.rows, claimed, self.other_sweeps)

    def outcome(self, study: Study) -> StudyOutcome:
        """The winner of a study and the records that count."""
        return self.agenda.outcome(study)

    def differing(
        self, value: Callable[[Study], Hashable], *, searching: bool = False
    ) -> Iterator[tuple[str, dict[str, Hashable]]]:
        """Each place where compared arms differ in `value`: its name, and the value of each arm."""
        for compared in self.compared:
            studies = compared.searching() if searching else compared.studies
            values = {study.arm: value(study) for study in studies}
            if len(set(values.values())) > 1:
                yield compared.name, values


def smallest_claim(
    verdicts: Sequence[Verdict], frontiers: Sequence[FrontierVerdict], margin: float
) -> float:
    """The smallest difference by which an arm is said to beat another, at a budget or over all of
    them; else the margin, below which arms count as equal."""
    pairs = [pair for verdict in verdicts for pair in verdict.pairs if pair.verdict == "wins"]
    won = [pair.difference for pair in pairs]
    won += [frontier.area for frontier in frontiers if frontier.verdict == "wins"]
    return min((abs(difference) for difference in won if difference is not None), default=margin)


def by_text(differences: Iterator[tuple[str, dict[str, Hashable]]]) -> dict[str, list[str]]:
    """`thin 16, pruned 12` -> the places where arms differ so, each difference once."""
    places: dict[str, list[str]] = {}
    for name, values in differences:
        text = ", ".join(f"{arm} {value}" for arm, value in values.items())
        places.setdefault(text, []).append(name)
    return places
