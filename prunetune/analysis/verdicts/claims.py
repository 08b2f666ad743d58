"""What a result may be said of: the arms, or only the recipes that were found or stated."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from prunetune.analysis.evidence.samples import Sample
from prunetune.plan import Plan, is_searched, starts_from_dense
from prunetune.records.record import Frozen
from prunetune.registration import FrontierForm

Subject = Literal["arms", "found", "stated"]
"""arms: the families under comparison. found: the recipes that one search found. stated: the
recipes of the sweep file, where nothing was searched."""
ENOUGH = 3
"""Searches, or dense networks, whose luck an interval can show."""


class Claim(Frozen):
    """What the error of a comparison holds, and so what its result may be said of."""

    subject: Subject
    dense_networks: int | None = None
    """Dense networks behind the results; None where neither arm depends on one."""

    @property
    def one_dense(self) -> bool:
        """Whether too few dense networks stand behind the results to show their luck."""
        return self.dense_networks is not None and self.dense_networks < ENOUGH


def claim(plan: Plan, sides: Iterable[Sample], form: FrontierForm | None = None) -> Claim:
    """The claim that a comparison of these samples allows.

    At one budget the luck of the search shows in three or more searches. Over a frontier it also
    shows in the scatter over the budgets: its `form` says so. The luck of dense networks shows in
    three or more of them, and of the arms it may then be spoken.
    """
    samples = tuple(sides)
    studies = [confirmed.study for sample in samples for confirmed in sample.studies]
    counts = [n for sample in samples if (n := _dense_networks(plan, sample)) is not None]
    dense = min(counts, default=None)
    if not any(is_searched(study, plan.studies) for study in studies):
        return Claim(subject="stated", dense_networks=dense)
    searches = min((len(sample.values) for sample in samples), default=0)
    shown = form == "searched" or (plan.replicates >= ENOUGH and searches >= ENOUGH)
    enough = shown and (dense is None or dense >= ENOUGH)
    return Claim(subject="arms" if enough else "found", dense_networks=dense)


def _dense_networks(plan: Plan, sample: Sample) -> int | None:
    """The dense networks that the sample's values start from; None if they start from none."""
    measured = [c for c in sample.studies if c.values]
    if not any(starts_from_dense(c.study, plan.studies) for c in sample.studies):
        return None
    if plan.dense.source != "train":
        return 1
    if not plan.dense_fresh:
        return len({c.study.replicate for c in measured})
    return len({seed for c in measured for seed in c.values})
