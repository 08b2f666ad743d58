"""Figures as files that stand alone: every style is written at its element, without style sheets.

Programs for papers and slides read neither the page's style sheet nor CSS variables. The rules stay
in one place, `figures.css`; this module applies them.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping, Sequence
from functools import cache

from prunetune.analysis.page.style import figure_rules
from prunetune.colors import arm_colors

SVG = "http://www.w3.org/2000/svg"
_RULE = re.compile(r"svg\.figure (?:\.([a-z-]+)|(text)) \{([^}]*)\}")
_FONT = {"font-family": "Helvetica, Arial, sans-serif", "font-size": "12"}
_ATTRIBUTES = {
    "fill", "fill-opacity", "stroke", "stroke-width", "stroke-opacity", "stroke-dasharray",
    "stroke-linecap", "font-weight", "font-size", "paint-order",
}  # fmt: skip
Style = dict[str, str]


def standalone(svg: str, names: Sequence[str]) -> bytes:
    """A figure of the page as an SVG file: white ground, no classes, no links.

    `names` are the arms, whose places decide their colours.
    """
    ET.register_namespace("", SVG)
    root = ET.fromstring(svg)
    _, _, width, height = root.get("viewBox", "0 0 0 0").split()
    colors = list(arm_colors(names).values())
    _apply(root, {f"arm-{i}": color for i, color in enumerate(colors)}, None)
    root.attrib.pop("role", None)
    for name, value in {"width": width, "height": height, **_FONT}.items():
        root.set(name, value)
    ground = ET.Element(f"{{{SVG}}}rect", width=width, height=height, fill="#ffffff")
    root.insert(0, ground)
    drawn: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return drawn + b"\n"


def _apply(element: ET.Element, arms: Mapping[str, str], color: str | None) -> None:
    rules, variables = _rules()
    classes = element.attrib.pop("class", "").split()
    if element.tag == f"{{{SVG}}}a":
        element.tag = f"{{{SVG}}}g"
        element.attrib.pop("href", None)
    for name in classes:
        color = variables["--quiet"] if name == "dense" else arms.get(name, color)
    names = ["text", *classes] if element.tag == f"{{{SVG}}}text" else classes
    ordered = [name for name in rules if name in names]  # later rules win, as in the sheet
    for name in ordered:
        for key, value in rules[name].items():
            element.set(key, _value(value, {**variables, "--c": color or variables["--ink"]}))
    for child in element:
        _apply(child, arms, color)


def _value(value: str, variables: Mapping[str, str]) -> str:
    value = re.sub(r"var\((--[a-z]+)\)", lambda found: variables[found.group(1)], value)
    return {"600": "bold"}.get(value, value.removesuffix("px"))


@cache
def _rules() -> tuple[dict[str, Style], dict[str, str]]:
    """The rules of `figures.css` by class, and the variables of the light page."""
    sheet = figure_rules()
    light = sheet[sheet.index(":root {") : sheet.index("}")]
    variables = dict(re.findall(r"(--[a-z]+): (#[0-9a-f]{6})", light))
    return dict(_read(sheet)), variables


def _read(sheet: str) -> Iterator[tuple[str, Style]]:
    for class_, text, body in _RULE.findall(sheet):
        pairs = (pair.split(":", 1) for pair in body.split(";") if ":" in pair)
        style = {key.strip(): value.strip() for key, value in pairs}
        yield class_ or text, {k: v for k, v in style.items() if k in _ATTRIBUTES}
