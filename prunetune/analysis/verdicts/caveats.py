"""Caveats: what the setting of a sweep cannot settle, whatever its figures are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from prunetune.analysis.evidence.frontier import FrontierRow
from prunetune.analysis.format import listing, plural, points
from prunetune.analysis.verdicts.claims import ENOUGH
from prunetune.analysis.verdicts.frontiers import FrontierVerdict
from prunetune.analysis.verdicts.sentences import masked_arms
from prunetune.analysis.verdicts.verdict import Verdict
from prunetune.plan import MASKED, Plan, is_searched
from prunetune.statistics.intervals import ALPHA, binomial_half_width


def caveats(
    plan: Plan,
    verdicts: Sequence[Verdict],
    frontiers: Sequence[FrontierVerdict],
    rows: Sequence[FrontierRow],
    *,
    grown: bool = False,
) -> list[str]:
    """The caveats of this sweep, one or more sentences each."""
    growth = (
        "Seeds, trials or searches were added after results were known, which no plan foresaw: p "
        "values are inverse e-values, which adding values does not favour."
    )
    return [
        *([growth] if grown else []),
        *_few_results(plan),
        *_searches(plan, frontiers),
        *_test_noise(plan, verdicts, rows),
        *_setting(plan, frontiers),
    ]


def _few_results(plan: Plan) -> Iterator[str]:
    if plan.n_independent < ENOUGH:
        several = plan.replicates > 1
        noun, field = ("search", "search.replicates") if several else ("seed", "confirm.seeds")
        yield (
            f"Confirmed on {plural(plan.n_independent, noun)}: below three, nothing is decided at "
            f"a single budget. Raise {field}; finished trials are kept."
        )


def _searches(plan: Plan, frontiers: Sequence[FrontierVerdict]) -> Iterator[str]:
    """Of what verdicts speak, and what it would take to speak of the arms."""
    if plan.replicates >= ENOUGH or not any(is_searched(s, plan.studies) for s in plan.studies):
        return
    budgets = sum(budget is not None for budget in plan.budgets())
    searches = plural(plan.replicates, "search")
    over = any(frontier.form == "searched" for frontier in frontiers)
    if not over:
        yield (
            f"{searches[0].upper()}{searches[1:]} a study and {plural(budgets, 'budget')}: nothing "
            "can be said of the arms, only of the recipes found. Another search may find other "
            "recipes. With three searches (search.replicates: 3), or with four budgets, verdicts "
            "are about the arms."
        )
    else:
        yield (
            f"With {searches} a study, verdicts at a single budget are about the recipes found. "
            "Over the frontier every budget has a search of its own, and their scatter shows the "
            "luck of the search: there the verdict is about the arms."
        )


def _test_noise(
    plan: Plan, verdicts: Sequence[Verdict], rows: Sequence[FrontierRow]
) -> Iterator[str]:
    accuracies = [row.test_acc1 for row in rows if row.test_acc1 is not None]
    if not accuracies or not plan.test_size:
        return
    noise = max(binomial_half_width(a, plan.test_size) for a in accuracies)
    pairs = [p for v in verdicts for p in v.pairs if p.low is not None]
    known = pairs and all(pair.new_low is not None for pair in pairs)
    intervals = (
        "intervals are given for new test images, and for these images alone"
        if known
        else "intervals are over seeds on these images: outputs for each image were not kept"
    )
    yield (
        f"The test set has {plan.test_size} images, and {intervals}. Drawing other test images "
        f"moves one accuracy by up to ±{points(noise, signed=False)} points."
    )
    gaps = [abs(p.difference) for v in verdicts for p in v.pairs if p.difference is not None]
    if not known and gaps and max(gaps) < noise:
        yield (
            f"The largest difference between two arms, {points(max(gaps), signed=False)} points, "
            "is smaller than that: this test set cannot settle which arm is better on new images."
        )


def _setting(plan: Plan, frontiers: Sequence[FrontierVerdict]) -> Iterator[str]:
    if not plan.dense_fresh and any(s.inherits for s in plan.studies):
        yield (
            "All trials that inherit weights start from one dense network. Its luck affects each "
            "of them and is in no interval."
            if plan.replicates == 1 or plan.dense.source != "train"
            else "All confirm seeds of a search share one dense network."
        )
    if masked := masked_arms(plan, plan.arms()):
        yield (
            f"{listing(masked)}: the networks keep the dense shape, with single weights at zero. "
            f"MACs and parameters count only the nonzero weights; {MASKED}."
        )
    if plan.family:
        yield _correction(plan, frontiers)


def _correction(plan: Plan, frontiers: Sequence[FrontierVerdict]) -> str:
    family = (
        "The family of comparisons, written down before the first trial, has "
        f"{plural(len(plan.family), 'pair')} at single budgets"
    )
    once = f"with {1 - ALPHA:.0%} confidence"
    if plan.registration is not None and plan.registration.looks:
        return (
            f"{family}. Each is judged at the looks of the plan, at levels that keep 5 % over all "
            f"looks and pairs. Intervals hold all at once {once}; a pair rests on the seeds of the "
            "look that decided it, and the mean of an arm on all its seeds."
        )
    if not frontiers:
        return (
            f"{family}. p is corrected by Holm's procedure. The intervals of differences hold all "
            f"at once {once}."
        )
    return (
        f"{family} and {plural(len(frontiers), 'pair')} of frontiers. p is corrected by a graph: "
        "frontiers share alpha, and a pair that differs there hands its share to its single "
        f"budgets. The intervals of the frontiers hold all at once {once}, and so do those of the "
        "single budgets."
    )
