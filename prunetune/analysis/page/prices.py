"""What a point cost to train, by who pays for the dense network that it starts from."""

from __future__ import annotations

from dataclasses import dataclass

from prunetune.analysis.evidence.frontier import FrontierRow
from prunetune.analysis.format import NOTHING, count
from prunetune.analysis.page.view import PageView


@dataclass(frozen=True)
class Price:
    """A way to charge the dense network to the networks made from it."""

    name: str
    words: str
    share: float
    """The part of the dense network's training that one network pays."""


_SHARED_BY = (2, 5, 10, 50)
PRICES = (
    Price("full", "in full", 1.0),
    *(Price(f"by-{k}", f"shared by {k} networks", 1 / k) for k in _SHARED_BY),
    Price("free", "free", 0.0),
)
COST_COLUMNS = ("its shape, dense in full", "search", "searches it stands on", "confirm")


@dataclass(frozen=True)
class CostLine:
    """One study of the table of costs, every cell as text."""

    arm: str
    study: str
    prices: tuple[tuple[str, str], ...]
    """(price, training MACs of one network alone) for every way to charge the dense network."""
    others: tuple[str, ...]
    """The cells under COST_COLUMNS."""


def training_of_one(view: PageView, row: FrontierRow, price: Price) -> float | None:
    """MACs of training one network of a study when the dense network is charged by `price`."""
    point = view.point_costs.get(row.study)
    return point.price(price.share) if point else None


def cost_lines(view: PageView) -> list[CostLine]:
    """A line for every study that computed anything."""
    lines = []
    for row in view.rows:
        point = view.point_costs.get(row.study)
        if point is None or not point.spent_macs:
            continue
        shape = point.shape_own_macs + point.shape_dense_macs
        macs = (shape, point.search_macs, point.upstream_search_macs, point.confirm_macs)
        prices = ((p.name, count(training_of_one(view, row, p))) for p in PRICES)
        others = tuple(count(value) if value else NOTHING for value in macs)
        lines.append(CostLine(row.arm, row.study, tuple(prices), others))
    return lines
