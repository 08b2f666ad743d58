"""The page: one HTML file with style, script and figures inside, which opens without a network."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
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
    return render("page.html", PageView(plan, records, report))


def render(template: str, view: PageView) -> bytes:
    """A template filled with everything that the page shows."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("prunetune.analysis.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["arm"] = lambda arm: f"arm-{view.arm(arm)}" if arm in view.arms else ""
    return environment.get_template(template).render(contents(view)).encode()


def contents(view: PageView) -> dict[str, Any]:
    """The variables of the template."""
    return {
        "report": view.report,
        "style": page_style(view.plan),
        "script": page_script(),
        "script_hash": script_hash(),
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
