"""What a setting cannot settle, however the figures look, in plain sentences."""

from __future__ import annotations

from collections.abc import Sequence

from prunetune.analysis.evidence.frontier import FrontierRow
from prunetune.analysis.statistics import ALPHA, binomial_half_width
from prunetune.analysis.verdicts.sentences import listing, masked_arms, plural, points
from prunetune.analysis.verdicts.verdict import Verdict
from prunetune.plan import MASKED, Plan


def limits(plan: Plan, verdicts: Sequence[Verdict], rows: Sequence[FrontierRow]) -> list[str]:
    """What this setting cannot settle, whatever the figures look like."""
    said = []
    if plan.n_independent < 3:
        several = plan.replicates > 1
        unit, field = ("search", "search.replicates") if several else ("seed", "confirm.seeds")
        said.append(
            f"Confirmed on {plural(plan.n_independent, unit)}: below three, intervals are too wide "
            f"to settle anything or do not exist. Raise {field}: what is finished stays."
        )
    said.extend(_test_noise(plan, verdicts, rows))
    if plan.replicates == 1:
        said.append(
            "One search per study: a verdict is about the recipes found, not about the arms. "
            "Another search may find others; search.replicates makes the search the unit."
        )
    if not plan.dense_fresh and any(s.inherits for s in plan.studies):
        said.append(
            "All inheriting trials start from one dense network: its luck is in each of them and "
            "in no interval."
        )
    if masked := masked_arms(plan, plan.arms()):
        said.append(
            f"{listing(masked)}: single weights are zero in networks of the dense shape. MACs and "
            f"parameters count the weights that are left; {MASKED}."
        )
    if plan.family:
        pairs = plural(len(plan.family), "pair")
        said.append(
            f"The family, written down before the first trial, has {pairs}; p is corrected by "
            "Holm, and the intervals of differences hold all at once with "
            f"{1 - ALPHA:.0%} confidence."
        )
    return said


def _test_noise(plan: Plan, verdicts: Sequence[Verdict], rows: Sequence[FrontierRow]) -> list[str]:
    accuracies = [row.test_acc1 for row in rows if row.test_acc1 is not None]
    if not accuracies or not plan.test_size:
        return []
    noise = max(binomial_half_width(a, plan.test_size) for a in accuracies)
    said = [
        f"The test set has {plan.test_size} images. Intervals here are over seeds on these images; "
        f"drawing other images moves one accuracy by up to ±{points(noise, signed=False)} points."
    ]
    gaps = [abs(p.difference) for v in verdicts for p in v.pairs if p.difference is not None]
    if gaps and max(gaps) < noise:
        said.append(
            f"The largest difference between two arms is {points(max(gaps), signed=False)} points, "
            "less than that: this test set cannot settle which arm is better on new images."
        )
    return said
