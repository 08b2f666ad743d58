"""The page: one HTML file with style, script and figures inside, which opens without a network."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from prunetune.analysis.page.sections import judgement, measurements, origins, recipe_facts
from prunetune.analysis.page.style import page_script, page_style
from prunetune.analysis.page.view import PageView
from prunetune.analysis.report import Report
from prunetune.plan import Plan
from prunetune.records.record import Record


def page(plan: Plan, records: Mapping[str, Record], report: Report) -> bytes:
    """The content of index.html; it fetches nothing, and its policy allows no other script."""
    view = PageView(plan, records, report)
    return render_template("page.html", view.arms, contents(view))


def render_template(name: str, arms: Sequence[str], variables: Mapping[str, Any]) -> bytes:
    """A template filled with its variables, in a page that holds style and script."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("prunetune.analysis.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["arm"] = lambda arm: f"arm-{arms.index(arm)}" if arm in arms else ""
    frame = {
        "style": page_style(arms),
        "script": page_script(),
        "script_hash": script_hash(),
    }
    return environment.get_template(name).render({**frame, **variables}).encode()


def contents(view: PageView) -> dict[str, Any]:
    """The variables of the template."""
    return {
        "report": view.report,
        **judgement(view),
        **measurements(view),
        **recipe_facts(view),
        **origins(view),
    }


@cache
def script_hash() -> str:
    """The hash by which the page's policy knows its one script."""
    digest = hashlib.sha256(page_script().encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"
