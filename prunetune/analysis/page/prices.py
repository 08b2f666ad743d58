"""What a point cost to train, by who pays for the dense network that it starts from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import fmean

from prunetune.analysis.evidence.frontier import FrontierRow
from prunetune.analysis.format import count
from prunetune.analysis.page.view import PageView
from prunetune.records.record import training_macs


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


def training_of_one(view: PageView, row: FrontierRow, price: Price) -> float | None:
    """MACs of training one network of a study when the dense network is charged by `price`."""
    if row.train_macs is None:
        return None
    return row.train_macs - (1 - price.share) * dense_part(view, row)


def dense_part(view: PageView, row: FrontierRow) -> float:
    """The dense network's training within a study's training MACs; zero for other starts."""
    plan = view.plan
    inherited = [
        r.train_macs.inherited for r in view.confirms.get(row.study, ()) if r.test_acc1 is not None
    ]
    if not inherited:
        return 0.0
    images = plan.images_per_epoch(plan.dense.config) * (plan.dense.epochs or 0)
    dense = training_macs(plan.dense.macs, plan.loaded_images or images)
    return min(fmean(inherited), float(dense))


def price_table(view: PageView) -> Iterator[tuple[FrontierRow, list[tuple[str, str]]]]:
    """(study, (price, training MACs of one network)) for every study with a confirmed network."""
    for row in view.rows:
        if row.train_macs is not None:
            yield (
                row,
                [(p.name, f"{count(training_of_one(view, row, p))}") for p in PRICES],
            )
