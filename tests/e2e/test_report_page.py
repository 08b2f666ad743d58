"""The page in a real browser."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from prunetune.analysis import analyse, write_report
from prunetune.analysis.page.view import PageView
from prunetune.analysis.page.write import write_comparison
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
    plan = make_plan(
        ARMS, (0.5, 0.39, 0.25, 0.125, 0.06), matchings=("scratch_e", "scratch_b"), trials=8,
        workload={"dataset": {"cifar10": {}}},
    )  # fmt: skip
    records = run(plan, noisy({"thin": 0.93, "pruned": 0.938, "reinit": 0.931}))
    write_report(plan, records, StoredFolder(folder))
    return folder / "index.html", len(plan.studies)


@pytest.fixture
def opened(browser: Any, report: tuple[Path, int]) -> Iterator[Any]:
    page = browser.new_page(viewport={"width": 1200, "height": 900})
    page.goto(report[0].as_uri())
    yield page
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1200])
def test_the_page_opens_offline_and_fits(
    browser: Any, report: tuple[Path, int], scheme: str, width: int
) -> None:
    path, _ = report
    complaints: list[str] = []
    fetched: list[str] = []
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: fetched.append(request.url))
    page.goto(path.as_uri())
    page.locator("[data-unfold]").click()
    assert complaints == []
    assert [url for url in fetched if not url.startswith("data:")] == [path.as_uri()]
    marks = page.locator("svg.frontier path.study:visible")
    assert marks.count() == 15
    assert all(box["width"] > 2 for box in (mark.bounding_box() for mark in marks.all()))
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator(".strip > li:visible").count() == 3 + 5  # over all budgets, and at each
    cut = page.evaluate(CUT_OFF)
    assert cut == []
    page.close()


CUT_OFF = """[...document.querySelectorAll('svg.figure text')].filter(text => {
  const box = text.getBoundingClientRect(), frame = text.ownerSVGElement.getBoundingClientRect();
  return box.width && (box.left < frame.left - 1 || box.right > frame.right + 1 ||
                       box.bottom > frame.bottom + 1 || box.top < frame.top - 1);
}).map(text => text.textContent)"""
"""Texts of visible figures that stick out of their figure, where they would be clipped."""


def test_every_switch_shows_its_panel_and_no_other(opened: Any) -> None:
    """Every option of every switch, by keyboard, in the state that the others are in by default."""
    opened.locator("[data-unfold]").click()
    names = opened.evaluate(
        "[...new Set([...document.querySelectorAll('[data-switch]')].map(c => c.dataset.switch))]"
    )
    assert set(names) == {"x", "matching", "price", "published", "pair", "effort"}
    for name in names:
        values = opened.evaluate(
            "name => [...new Set([...document.querySelectorAll(`[data-switch=${name}]`)]"
            ".flatMap(c => c.options ? [...c.options].map(o => o.value) : [c.value]))]",
            name,
        )
        assert len(values) > 1
        for value in [*values[1:], values[0]]:
            choose(opened, name, value)
            assert opened.evaluate(WRONG) == []
            shown = opened.locator(".hero .panel:visible")
            assert shown.count() == 1


WRONG = """(() => {
  const state = {};
  for (const c of document.querySelectorAll('[data-switch]'))
    if (c.type !== 'radio' || c.checked) state[c.dataset.switch] = c.value;
  return [...document.querySelectorAll('[data-when]')].filter(panel => {
    const pairs = panel.dataset.when.split(' ').map(word => word.split('='));
    return panel.hidden === pairs.every(([name, value]) => state[name] === value);
  }).map(panel => panel.dataset.when);
})()"""
"""Panels that are shown although the switches stand otherwise, or hidden although they fit."""


def choose(page: Any, name: str, value: str) -> None:
    """Move a switch with the keyboard alone, where it is visible."""
    if name == "price":
        choose(page, "x", "training")
    control = page.locator(f"[data-switch={name}]:visible").first
    if control.evaluate("c => c.tagName") == "SELECT":
        control.focus()
        page.keyboard.press("Home")
        index = control.evaluate("(c, v) => [...c.options].findIndex(o => o.value === v)", value)
        for _ in range(index):
            page.keyboard.press("ArrowDown")
    else:
        group = control.evaluate("c => c.name")
        page.locator(f"input[name='{group}']:checked").focus()
        for _ in range(4):
            if page.locator(f"input[name='{group}']:checked").input_value() == value:
                break
            page.keyboard.press("ArrowRight")
    if name == "price":
        assert page.locator("[data-switch=price]").first.input_value() == value
        choose(page, "x", "macs")


def test_a_mark_says_its_recipe_and_key_on_focus_and_leads_to_its_entry(opened: Any) -> None:
    mark = opened.locator(".hero .panel:visible .wide a.point").first
    mark.focus()
    tip = opened.locator("#tip")
    assert tip.is_visible()
    words = tip.inner_text()
    assert "optimizer.sgd.lr: 0.08" in words
    assert "n = 5" in words
    key = words.split("key ")[1].split(" ")[0]
    opened.keyboard.press("Escape")
    assert not tip.is_visible()
    opened.keyboard.press("Enter")
    entry = opened.locator(".point-entry:target")
    assert entry.evaluate("e => e.open && e.closest('details.section').open")
    assert key in entry.inner_text()
    mark.hover()
    assert tip.inner_text() == words


def test_a_page_without_its_script_still_shows_its_figures(
    browser: Any, report: tuple[Path, int]
) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(report[0].as_uri())
    assert page.locator(".hero .panel:visible").count() == 2 * 4  # MACs, parameters, two prices
    assert page.locator(".switches:visible").count() == 0
    page.locator("#differences > summary").click()
    assert page.locator("#differences .panel:visible").count() == 3 * 2
    context.close()


@pytest.mark.parametrize("width", [390, 1200])
def test_the_page_that_compares_sweeps_opens_fits_and_switches(
    browser: Any, tmp_path: Path, width: int
) -> None:
    views = []
    for name, budgets in (("first", (0.5, 0.39, 0.25, 0.125)), ("second", (0.5, 0.25))):
        plan = make_plan(ARMS, budgets, sweep=name, seeds=3)
        records = run(plan, noisy({"thin": 0.93, "pruned": 0.938, "reinit": 0.931}))
        views.append(PageView(plan, records, analyse(plan, records), base=f"{name}.html"))
    write_comparison(views, StoredFolder(tmp_path))
    complaints: list[str] = []
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto((tmp_path / "index.html").as_uri())
    assert complaints == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(CUT_OFF) == []
    assert page.locator("svg.frontier:visible").count() == 2
    for value in ("p1", "p2", "p0"):
        choose(page, "pair", value)
        assert page.locator("svg.forest:visible").count() == 1
        assert page.evaluate(WRONG) == []
    page.locator("a.point").first.focus()
    assert "n = 3" in page.locator("#tip").inner_text()
    page.close()


def test_print_shows_what_is_folded(browser: Any, report: tuple[Path, int]) -> None:
    page = browser.new_page()
    page.goto(report[0].as_uri())
    page.emulate_media(media="print")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details.section:not([open])").count() == 0
    assert page.locator("#missing .body").is_visible()
    assert not page.locator("[data-unfold]").is_visible()
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert page.locator("details.section[open]").count() == 0
    page.close()


def test_marks_stand_where_the_figures_say(opened: Any) -> None:
    """Of two studies of one arm, the one with more MACs is farther right and here higher."""
    found = opened.locator("svg.frontier path.study.arm-1:visible").all()
    spots = [mark.bounding_box() for mark in found]
    spots.sort(key=lambda box: box["x"])
    heights = [box["y"] for box in spots]
    assert len({round(box["x"]) for box in spots}) == 5
    assert heights == sorted(heights, reverse=True)


def test_text_is_readable_on_both_grounds(browser: Any, report: tuple[Path, int]) -> None:
    grounds = set()
    for scheme in ("light", "dark"):
        page = browser.new_page(color_scheme=scheme)
        page.goto(report[0].as_uri())
        style = "getComputedStyle(document.body)"
        ink, ground = page.evaluate(f"[{style}.color, {style}.backgroundColor]")
        grounds.add(ground)
        assert contrast(ink, ground) > 7
        for quiet in (".kicker", ".caption", ".strip .detail", "h1"):
            color = page.evaluate(f"getComputedStyle(document.querySelector('{quiet}')).color")
            assert contrast(color, ground) > 4.5
        for arm in range(3):
            mark = f"document.querySelector('svg.frontier .mark.arm-{arm}')"
            assert contrast(page.evaluate(f"getComputedStyle({mark}).fill"), ground) > 3
        page.close()
    assert len(grounds) == 2


def contrast(a: str, b: str) -> float:
    """The contrast ratio of two computed colours (WCAG 2)."""
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


def luminance(color: str) -> float:
    numbers = [float(part) for part in re.findall(r"[\d.]+", color)][:3]
    parts = numbers if color.startswith("color(srgb") else [n / 255 for n in numbers]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
