"""Learning rates: fine-tuning must be allowed the rates of training."""

from __future__ import annotations

import re
from collections.abc import Iterator

from prunetune.analysis.audit.case import Case
from prunetune.analysis.audit.rule import Flaw, rule
from prunetune.analysis.evidence.compared import Compared
from prunetune.analysis.format import listing
from prunetune.config.space.space import Choice, Constant, Domain
from prunetune.plan import Plan, Study

_RATE = re.compile(r"recipe\.optimizer\.(\w+)\.lr")
_ROUNDING = 0.999


@rule(
    "search",
    "warning",
    reason="Fine-tuning with a small rate is the commonest way to make pruning look bad: going up "
    "to the peak rate of training closes most of the gaps between methods (2105.03193; "
    "2301.05219, table 4).",
)
def lr_misses_peak(case: Case) -> Iterator[Flaw]:
    """Arms whose largest learning rate is below the peak at which networks are trained."""
    misses: dict[tuple[str, str, float, float], list[str]] = {}
    for compared in case.compared:
        peaks = _peaks(case.plan, compared)
        for study in compared.studies:
            for optimizer, rate in _largest(study).items():
                peak = peaks.get(optimizer, 0.0)
                if rate < _ROUNDING * peak:
                    key = (study.arm, optimizer, rate, peak)
                    misses.setdefault(key, []).append(compared.name)
    for (arm, optimizer, rate, peak), places in misses.items():
        yield Flaw(
            "warning",
            f"{arm} may use {optimizer} up to a learning rate of {rate:g}, and networks are "
            f"trained at {peak:g}, at {listing(dict.fromkeys(places))}.",
            f"Let the range of recipe.optimizer.{optimizer}.lr reach {peak:g}.",
        )


def _peaks(plan: Plan, compared: Compared) -> dict[str, float]:
    """Optimizer -> rate of the dense network; if that was loaded, the largest of any rival."""
    known = {
        match[1]: float(value)
        for path, value in plan.dense.config.items()
        if (match := _RATE.fullmatch(path))
    }
    if known:
        return known
    peaks: dict[str, float] = {}
    for study in compared.studies:
        if not study.inherits:
            for optimizer, rate in _largest(study).items():
                peaks[optimizer] = max(rate, peaks.get(optimizer, 0.0))
    return peaks


def _largest(study: Study) -> dict[str, float]:
    return {
        match[1]: _upper(dimension.domain)
        for dimension in study.space.dimensions
        if (match := _RATE.fullmatch(dimension.path))
    }


def _upper(domain: Domain) -> float:
    match domain:
        case Constant(value=value):
            return float(value)
        case Choice(options=options):
            return max(map(float, options))
        case _:
            return float(domain.high)
