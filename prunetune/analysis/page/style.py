"""The style sheets of page and figures, with one colour per arm."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.resources import files

from prunetune.colors import arm_colors


def page_style(arms: Sequence[str]) -> str:
    """The style sheet of the page and the figures in it."""
    return _asset("figures.css") + _asset("page.css") + _colors(arms)


def page_script() -> str:
    """The script of the page: switches, tooltips, folding."""
    return _asset("script.js")


def figure_rules() -> str:
    """The style sheet of the figures, without the colours of arms."""
    return _asset("figures.css")


def _colors(arms: Sequence[str]) -> str:
    """The arms' colours as CSS, lighter on a dark screen."""
    light, dark = [], []
    for i, color in enumerate(arm_colors(arms).values()):
        ink = "var(--ink)" if color == "#000000" else color  # black would be lost on black
        light.append(f".arm-{i} {{ --c: {ink}; }}")
        dark.append(f".arm-{i} {{ --c: color-mix(in srgb, {ink} 75%, white); }}")
    query = "@media screen and (prefers-color-scheme: dark)"
    return "\n".join([*light, f"{query} {{", *dark, "}"])


@cache
def _asset(name: str) -> str:
    return (files("prunetune.analysis.page") / "templates" / name).read_text()
