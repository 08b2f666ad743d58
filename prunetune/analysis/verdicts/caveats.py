"""Caveats: what the setting of a sweep cannot settle, whatever its figures are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from prunetune.analysis.evidence.frontier import FrontierRow
from prunetune.analysis.format import listing, plural, points
from prunetune.analysis.verdicts.sentences import masked_arms
from prunetune.analysis.verdicts.verdict import Verdict
from prunetune.plan import MASKED, Plan
from prunetune.statistics.intervals import ALPHA, binomial_half_width


def caveats(plan: Plan, verdicts: Sequence[Verdict], rows: Sequence[FrontierRow]) -> list[str]:
    """The caveats of this sweep, one or more sentences each."""
    return [*_few_results(plan), *_test_noise(plan, verdicts, rows), *_setting(plan)]


def _few_results(plan: Plan) -> Iterator[str]:
    if plan.n_independent < 3:
        several = plan.replicates > 1
        noun, field = ("search", "search.replicates") if several else ("seed", "confirm.seeds")
        yield (
            f"Confirmed on {plural(plan.n_independent, noun)}: below three, intervals do not exist "
            f"or are too wide to settle anything. Raise {field}; finished trials are kept."
        )


def _test_noise(
    plan: Plan, verdicts: Sequence[Verdict], rows: Sequence[FrontierRow]
) -> Iterator[str]:
    accuracies = [row.test_acc1 for row in rows if row.test_acc1 is not None]
    if not accuracies or not plan.test_size:
        return
    noise = max(binomial_half_width(a, plan.test_size) for a in accuracies)
    yield (
        f"The test set has {plan.test_size} images, and intervals here are over seeds on these "
        "images. Drawing other test images moves one accuracy by up to "
        f"±{points(noise, signed=False)} points."
    )
    gaps = [abs(p.difference) for v in verdicts for p in v.pairs if p.difference is not None]
    if gaps and max(gaps) < noise:
        yield (
            f"The largest difference between two arms, {points(max(gaps), signed=False)} points, "
            "is smaller than that: this test set cannot settle which arm is better on new images."
        )


def _setting(plan: Plan) -> Iterator[str]:
    if plan.replicates == 1:
        yield (
            "One search per study: a verdict is about the recipes found, not about the arms. "
            "Another search may find other recipes. With several searches (search.replicates), "
            "verdicts are about the arms."
        )
    if not plan.dense_fresh and any(s.inherits for s in plan.studies):
        yield (
            "All trials that inherit weights start from one dense network. Its luck affects each "
            "of them and is in no interval."
        )
    if masked := masked_arms(plan, plan.arms()):
        yield (
            f"{listing(masked)}: the networks keep the dense shape, with single weights at zero. "
            f"MACs and parameters count only the nonzero weights; {MASKED}."
        )
    if plan.family:
        yield (
            "The family of comparisons, written down before the first trial, has "
            f"{plural(len(plan.family), 'pair')}. p is corrected by Holm's procedure. The "
            f"intervals of differences hold all at once with {1 - ALPHA:.0%} confidence."
        )
