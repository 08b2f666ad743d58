"""What a person meant by a budget in another notation: `50%`, `3X`, `50`, `0,5`, `63 MMACs`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_NUMBER = r"([0-9]+(?:[.,][0-9]+)?)"
_PERCENT = re.compile(_NUMBER + r"\s*(?:%|percent)")
_SPEED_UP = re.compile(_NUMBER + r"\s*[xX\u00d7]")
_AMOUNT = re.compile(_NUMBER + r"\s*([kmgKMG])\s*(macs?|flops?)?", re.IGNORECASE)
_BARE = re.compile(_NUMBER)
_FRACTION = re.compile(r"([0-9]+)\s*/\s*([0-9]+)")


def budget_meant(written: Any) -> str | None:
    """The budget as prunetune writes it, with its meaning; None where nothing can be guessed."""
    if isinstance(written, bool):
        return None
    if isinstance(written, Mapping) and set(written) == {"sparsity"}:
        share = _share(str(written["sparsity"]).strip())
        return f"{{sparsity: {share}}}" if share else None
    text = str(written).strip()
    if share := _share(text):
        kept = f"{share} ({100 * float(share):g} % of the dense MACs)"
        number = _BARE.fullmatch(text)
        return f"{kept} or {number[1]}x (a speed-up)" if number and float(share) >= 0.01 else kept
    if found := _SPEED_UP.fullmatch(text):
        factor = _decimal(found[1])
        return f"{factor:g}x" if factor > 1 else None
    if found := _AMOUNT.fullmatch(text):
        return _amount(_decimal(found[1]), found[2].lower(), (found[3] or "").lower())
    return None


def _share(text: str) -> str | None:
    """The share that a percentage, a fraction, or a number up to 100 stands for."""
    if found := _FRACTION.fullmatch(text):
        number = int(found[1]) / int(found[2]) if int(found[2]) else 0.0
    elif found := _PERCENT.fullmatch(text):
        number = _decimal(found[1]) / 100
    elif found := _BARE.fullmatch(text):
        number = _decimal(found[1])
        number = number / 100 if number > 1 else number
    else:
        return None
    return f"{number:g}" if 1e-6 <= number < 1 else None


def _amount(number: float, unit: str, counted: str) -> str | None:
    """MACs in our notation; one multiply-accumulate is two FLOPs."""
    letter = unit if unit == "k" else unit.upper()
    if counted.startswith("flop"):
        return f"{number / 2:g}{letter} (one MAC is two FLOPs)"
    return f"{number:g}{letter}"


def _decimal(text: str) -> float:
    return float(text.replace(",", "."))
