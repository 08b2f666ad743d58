"""Reads figures back: where marks stand, and which values the axes give those places."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from dataclasses import dataclass

SVG = "{http://www.w3.org/2000/svg}"
SUFFIX = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18}


@dataclass(frozen=True)
class Ruler:
    """The value of a pixel, from two ticks of an axis."""

    pixels: tuple[float, float]
    values: tuple[float, float]
    log: bool = False

    def __call__(self, pixel: float) -> float:
        (p, q), (a, b) = self.pixels, self.values
        share = (pixel - p) / (q - p)
        if self.log:
            return math.exp(math.log(a) + share * (math.log(b) - math.log(a)))
        return a + share * (b - a)


def texts(root: ET.Element, anchor: str) -> list[tuple[float, float, str]]:
    """(x, y, words) of every text with this anchor."""
    return [
        (float(e.get("x", 0)), float(e.get("y", 0)), e.text or "")
        for e in root.iter(f"{SVG}text")
        if e.get("text-anchor") == anchor
    ]


def y_ruler(root: ET.Element) -> Ruler:
    """The y axis: its tick labels end left of the frame, 4 pixels below their height."""
    ticks = [
        (y - 4, number(t)) for x, y, t in texts(root, "end") if x < 70 and number(t) is not None
    ]
    return ruler(ticks)


def ruler(ticks: Iterable[tuple[float, float | None]], log: bool = False) -> Ruler:
    known = sorted((p, v) for p, v in ticks if v is not None)
    (p, a), (q, b) = known[0], known[-1]
    return Ruler((p, q), (a, b), log)


def number(words: str) -> float | None:
    """`93.5`, `+0.2` or `20.3 M` as a number; None for other words."""
    found = re.fullmatch(r"([+-]?[\d.]+) ?([kMGTPE]?)", words.replace("\N{MINUS SIGN}", "-"))
    return float(found.group(1)) * SUFFIX[found.group(2)] if found else None


def marks(root: ET.Element, *classes: str) -> list[tuple[float, float]]:
    """(x, y) of every path that has all these classes."""
    places = []
    for element in root.iter(f"{SVG}path"):
        if set(classes) <= set(element.get("class", "").split()):
            x, y = re.findall(r"-?[\d.]+", element.get("transform", ""))
            places.append((float(x), float(y)))
    return places
