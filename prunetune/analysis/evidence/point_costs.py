"""What each point of the frontier costs: what its network costs alone, and what its study spent.

*Attributed* MACs are those of one network if no other existed: parts that it shares with others,
such as the dense network, count in full. They do not add up over points. *Spent* MACs are those
that were computed, each once, lost and stopped trials included. They add up to the ledger's total.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from statistics import fmean

from prunetune.agenda import Agenda, StudyOutcome
from prunetune.agenda.cache import stands_on
from prunetune.plan import Study
from prunetune.records.record import Frozen, Record


class PointCost(Frozen):
    """The cost of one study and of one network of it, in MACs of training and scoring."""

    study: str
    attributed_macs: float | None = None
    """Of one confirmed network alone: `own_macs` and `dense_macs`. None before one is confirmed."""
    own_macs: float | None = None
    """Sparsifying, scoring and training of the network itself: its price if the dense network is
    free. With the dense network shared by k networks the price is own_macs + dense_macs / k."""
    dense_macs: float = 0.0
    """Training of the dense network whose weights it inherits; 0 for other networks."""
    shape_own_macs: float = 0.0
    """What finding its shape cost, for a network that is trained on another arm's architecture:
    sparsifying and scoring of the source's network. Fine-tuning the source does not count."""
    shape_dense_macs: float = 0.0
    """Training of the dense network from which that shape was cut."""
    search_macs: int = 0
    """Spent by the search and the re-scores of the study."""
    upstream_search_macs: int = 0
    """Spent by the searches that it builds on: of the arms whose shape or recipe it trains."""
    confirm_macs: int = 0
    """Spent by the confirm trials, those of former winners included."""
    spent_macs: int = 0
    """Spent by all trials of the study: the sum of search and confirm."""
    search_attributed_macs: int = 0
    """The search trials, each with its shared parts in full: the search of somebody who has no
    dense network at hand and trains one for each trial."""

    def price(self, dense_share: float, *, with_shape: bool = False) -> float | None:
        """MACs of one network that pays this share of its dense network (1: in full, 1/k, 0)."""
        if self.own_macs is None:
            return None
        shape = self.shape_own_macs + dense_share * self.shape_dense_macs if with_shape else 0.0
        return self.own_macs + dense_share * self.dense_macs + shape


def point_costs(agenda: Agenda) -> tuple[PointCost, ...]:
    """The cost of every study, in the order of the plan."""
    return tuple(_point_cost(agenda, study) for study in agenda.plan.studies)


def spent_by(records: Iterable[Record]) -> int:
    """MACs that these trials computed."""
    return sum(record.train_macs.spent for record in records)


def _point_cost(agenda: Agenda, study: Study) -> PointCost:
    records, outcome = agenda.trials.records, agenda.outcome(study)
    ended = agenda.trials.ended(study.id)
    confirm = spent_by(r for r in ended if r.phase == "confirm")
    spent = spent_by(ended)
    alone = [_alone(records, record) for record in outcome.confirmed]
    shapes = [_shape(records, record) for record in outcome.confirmed]
    own, dense = fmean(a[0] for a in alone) if alone else None, _mean(a[1] for a in alone)
    return PointCost(
        study=study.id,
        attributed_macs=None if own is None else own + dense,
        own_macs=own,
        dense_macs=dense,
        shape_own_macs=_mean(shape[0] for shape in shapes),
        shape_dense_macs=_mean(shape[1] for shape in shapes),
        search_macs=spent - confirm,
        upstream_search_macs=_upstream(agenda, study),
        confirm_macs=confirm,
        spent_macs=spent,
        search_attributed_macs=_attributed(outcome),
    )


def _alone(records: Mapping[str, Record], record: Record) -> tuple[int, int]:
    """MACs of one network: its own, and those of training the dense network that it inherits."""
    source = records.get(record.inputs.get("dense", ""))
    inherited = record.train_macs.inherited
    dense = min(inherited, source.train_macs.total) if source else inherited
    return record.train_macs.total - dense, dense


def _shape(records: Mapping[str, Record], record: Record) -> tuple[int, int]:
    """MACs of finding the architecture that the network was given, as `_alone`."""
    source = records.get(record.inputs.get("architecture", ""))
    if source is None:
        return 0, 0
    own, dense = _alone(records, source)
    further = _shape(records, source)
    return own - source.train_macs.train + further[0], dense + further[1]


def _upstream(agenda: Agenda, study: Study) -> int:
    """Spent by the searches whose shapes or recipes the study builds on, each once."""
    sources = {*stands_on(study, {s.id: s for s in agenda.plan.studies})} - {study.id}
    return sum(
        spent_by(r for r in agenda.trials.ended(source) if r.phase != "confirm")
        for source in sources
    )


def _attributed(outcome: StudyOutcome) -> int:
    return sum(r.train_macs.total for r in (*outcome.search, *outcome.rescores))


def _mean(values: Iterable[int]) -> float:
    known = list(values)
    return fmean(known) if known else 0.0
