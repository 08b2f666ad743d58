"""The page in a real browser."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from prunetune.analysis import write_report
from prunetune.records.files import StoredFolder
from tests.analysis.sweeps import make_plan, noisy, run

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
]
ARMS = {"thin": "width_scaling", "pruned": "channel_pruning", "reinit": "reinit"}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    folder = tmp_path_factory.mktemp("report")
    plan = make_plan(ARMS, (0.5, 0.39, 0.25, 0.125, 0.06))
    records = run(plan, noisy({"thin": 0.93, "pruned": 0.938, "reinit": 0.931}))
    write_report(plan, records, StoredFolder(folder))
    return folder / "index.html", len(plan.studies)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1200])
def test_the_page_opens_offline_and_fits(
    browser: Any, report: tuple[Path, int], scheme: str, width: int
) -> None:
    path, studies = report
    complaints: list[str] = []
    fetched: list[str] = []
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: fetched.append(request.url))
    page.goto(path.as_uri())
    assert complaints == []
    assert [url for url in fetched if not url.startswith("data:")] == [path.as_uri()]
    marks = page.locator("svg.frontier path.study")
    assert marks.count() == studies
    assert all(box["width"] > 2 for box in (mark.bounding_box() for mark in marks.all()))
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator(".verdicts > li").count() == 5
    page.close()


def test_marks_stand_where_the_figures_say(browser: Any, report: tuple[Path, int]) -> None:
    """Of two studies of one arm, the one with more MACs is farther right and here higher."""
    page = browser.new_page()
    page.goto(report[0].as_uri())
    spots = [mark.bounding_box() for mark in page.locator("svg.frontier path.study.arm-1").all()]
    spots.sort(key=lambda box: box["x"])
    heights = [box["y"] for box in spots]
    assert len({round(box["x"]) for box in spots}) == 5
    assert heights == sorted(heights, reverse=True)
    page.close()


def test_text_is_readable_on_both_grounds(browser: Any, report: tuple[Path, int]) -> None:
    grounds = set()
    for scheme in ("light", "dark"):
        page = browser.new_page(color_scheme=scheme)
        page.goto(report[0].as_uri())
        style = "getComputedStyle(document.body)"
        ink, ground = page.evaluate(f"[{style}.color, {style}.backgroundColor]")
        grounds.add(ground)
        assert contrast(ink, ground) > 7
        quiet = page.evaluate("getComputedStyle(document.querySelector('.setup')).color")
        assert contrast(quiet, ground) > 4.5
        page.close()
    assert len(grounds) == 2


def contrast(a: str, b: str) -> float:
    """The contrast ratio of two `rgb(…)` colours (WCAG 2)."""
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


def luminance(color: str) -> float:
    parts = [int(part) / 255 for part in color.removeprefix("rgb(").removesuffix(")").split(",")]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
