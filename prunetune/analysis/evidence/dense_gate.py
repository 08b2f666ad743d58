"""Whether the dense network is good enough to be the yardstick of a comparison.

Pruning starts from the dense network. If that is under-trained, fine-tuning is simply its missing
training, and the pruned network looks better than it should. The headline of a report is withheld
if any of these doubts stands.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import fmean
from typing import Literal

from prunetune.analysis.evidence.frontier import DenseResult, FrontierRow
from prunetune.analysis.evidence.other_sweeps import OtherSweep
from prunetune.analysis.evidence.published import published_accuracy
from prunetune.analysis.format import listing, percent, points
from prunetune.plan import Plan
from prunetune.records.record import Frozen, Record

PUBLISHED_GAP = 0.01
"""A dense network may lie this far below what is published for it."""
_HALF = (0.4, 0.6)
"""Shares of the dense epochs that count as about half."""
_STEADY = 0.5
"""In a phase of constant rate the learning rate keeps at least this share of its value."""


class DenseDoubt(Frozen):
    """One reason why the dense network may be too weak."""

    kind: Literal["exceeded", "unfinished", "below published"]
    reason: str
    records: tuple[str, ...] = ()


def dense_doubts(
    plan: Plan,
    records: Sequence[Record],
    dense: DenseResult,
    rows: Sequence[FrontierRow],
    claimed: float,
    other_sweeps: Sequence[OtherSweep] = (),
) -> tuple[DenseDoubt, ...]:
    """Every reason to withhold the headline; empty if there is none.

    Args:
        plan: the plan of the sweep.
        records: the records of its dense networks; others are ignored.
        dense: the test accuracy of the dense networks.
        rows: the studies with their confirmed accuracies.
        claimed: the smallest difference that a verdict claims, as an accuracy.
        other_sweeps: sweeps on the same test images; they may know shorter trainings.
    """
    if dense.mean is None:
        return ()
    networks = sorted((r for r in records if r.phase == "dense"), key=lambda r: r.seed)
    return (
        *_exceeded(dense.mean, rows),
        *_trained_on(dense.mean, rows, claimed),
        *_at_half(plan, dense.mean, claimed, other_sweeps),
        *_steady_gain(networks, claimed),
        *_below_published(plan, dense.mean),
    )


def _exceeded(dense: float, rows: Sequence[FrontierRow]) -> Iterator[DenseDoubt]:
    """Compact networks that are better than the network that they should merely approach."""
    above = [r for r in rows if r.budget is not None and r.low is not None and r.low > dense]
    if above:
        names = (f"{r.study} {percent(r.test_acc1)} (from {percent(r.low)})" for r in above)
        yield DenseDoubt(
            kind="exceeded",
            reason=f"compact networks are better than its {percent(dense)}, with the lower ends of "
            f"their 95 % intervals: {listing(names)}",
            records=tuple(row.winner for row in above if row.winner),
        )


def _trained_on(dense: float, rows: Sequence[FrontierRow], claimed: float) -> Iterator[DenseDoubt]:
    """The control arm: the dense network, trained on with a recipe that was searched."""
    for row in rows:
        if row.budget is None and row.test_acc1 is not None and row.test_acc1 - dense > claimed:
            gain = points(row.test_acc1 - dense, signed=False)
            yield DenseDoubt(
                kind="unfinished",
                reason=f"training the dense network on ({row.study}) brought {gain} points more, "
                f"and the smallest difference claimed is {points(claimed, signed=False)}",
                records=(row.winner,) if row.winner else (),
            )


def _at_half(
    plan: Plan, dense: float, claimed: float, other_sweeps: Sequence[OtherSweep]
) -> Iterator[DenseDoubt]:
    """The same network trained about half as long, in another sweep of the storage."""
    whole = plan.dense.epochs
    if not whole or plan.dense.source != "train":
        return
    for sweep in other_sweeps:
        for epochs, accuracies in sweep.dense_lengths.items():
            gain = dense - fmean(accuracies)
            if _HALF[0] * whole <= epochs <= _HALF[1] * whole and gain > claimed:
                yield DenseDoubt(
                    kind="unfinished",
                    reason=f"{whole} epochs instead of {epochs} (sweep {sweep.sweep}) brought the "
                    f"dense network {points(gain, signed=False)} points, more than the smallest "
                    f"difference claimed ({points(claimed, signed=False)})",
                )


def _steady_gain(networks: Sequence[Record], claimed: float) -> Iterator[DenseDoubt]:
    """The gain of the last half of training, where the learning rate did not fall meanwhile.

    A schedule that ends low always gains at its end, so its curve cannot tell under-training.
    """
    gains = []
    for record in networks:
        middle = record.curve[len(record.curve) // 2 - 1] if len(record.curve) > 1 else None
        if middle is not None and record.curve[-1].lr >= _STEADY * middle.lr:
            gains.append(record.curve[-1].val_acc1 - middle.val_acc1)
    if gains and fmean(gains) > claimed:
        yield DenseDoubt(
            kind="unfinished",
            reason=f"at a constant learning rate the last half of its training still brought "
            f"{points(fmean(gains), signed=False)} points on validation, more than the smallest "
            f"difference claimed ({points(claimed, signed=False)})",
            records=tuple(record.key for record in networks),
        )


def _below_published(plan: Plan, dense: float) -> Iterator[DenseDoubt]:
    known = published_accuracy(plan)
    if known is not None and known.accuracy - dense > PUBLISHED_GAP:
        yield DenseDoubt(
            kind="below published",
            reason=f"it has {percent(dense)} on the test set, "
            f"{points(known.accuracy - dense, signed=False)} points below the "
            f"{percent(known.accuracy)} published for it ({known.source})",
        )
