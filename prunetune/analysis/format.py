"""Numbers and lists as people read them: percentages, points, large counts, plurals."""

from __future__ import annotations

from collections.abc import Iterable

NOTHING = "\N{EN DASH}"
"""Stands where there is no figure."""


def percent(accuracy: float | None) -> str:
    """An accuracy: `93.12 %`."""
    return NOTHING if accuracy is None else f"{bare_percent(accuracy)} %"


def bare_percent(accuracy: float | None) -> str:
    """An accuracy in percent, without the unit: `93.12`."""
    return NOTHING if accuracy is None else f"{100 * accuracy:.2f}"


def points(difference: float | None, signed: bool = True) -> str:
    """A difference of accuracies in percentage points, without the unit: `+0.62`."""
    if difference is None:
        return NOTHING
    text = f"{100 * difference:+.2f}" if signed else f"{100 * abs(difference):.2f}"
    return text.replace("-", "\N{MINUS SIGN}")


def count(value: float | None) -> str:
    """A large number with its prefix: `31.3 M`."""
    if value is None:
        return NOTHING
    for size, prefix in ((1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            digits = ".3g" if value < 999.5 * size else ".0f"  # .3g would write 1e+03
            return f"{value / size:{digits}} {prefix}"
    return f"{value:.3g}"


def rough_duration(seconds: float) -> str:
    """An estimated time to two digits, in the largest unit of which it has two: `4.9 days`."""
    for size, unit in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{float(f'{seconds / size:.1e}'):,g} {unit}"
    return "less than two minutes"


def in_milliseconds(seconds: float) -> str:
    """A time in milliseconds without the unit, to three digits: `1.23`, `45.6`."""
    value = 1000 * seconds
    return f"{value:.0f}" if value >= 999.5 else f"{value:.3g}"


def correlation_words(
    batch: int, networks: int, linear: float | None, in_rank: float | None
) -> str:
    """How closely times follow MACs, in a sentence."""
    if linear is None or in_rank is None:
        return f"batch {batch}: too few networks to say how closely time follows MACs"
    return (
        f"batch {batch}: time follows MACs with a correlation of {linear:.2f} (Pearson), "
        f"{in_rank:.2f} in rank, over {networks} networks"
    )


def p_value(p: float | None) -> str:
    """A corrected p: `p = 0.012`, `p < 0.001`."""
    if p is None:
        return "no p"
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}" if p < 0.1 else f"p = {p:.2f}"


def plural(number: int, noun: str) -> str:
    """`1 seed`, `2 seeds`, `2 searches`, `2 studies`."""
    if number == 1:
        return f"1 {noun}"
    if noun.endswith("y"):
        return f"{number} {noun[:-1]}ies"
    return f"{number} {noun}{'es' if noun.endswith('ch') else 's'}"


def listing(names: Iterable[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last
