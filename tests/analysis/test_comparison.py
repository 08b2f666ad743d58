"""Several sweeps on one page: the same pair of arms in each, nothing pooled."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from markupsafe import escape

from prunetune.analysis import analyse
from prunetune.analysis.page.comparison import comparison_page, together
from prunetune.analysis.page.effects import effects_of, shared_pairs, sweep_labels
from prunetune.analysis.page.figures.axes import NARROW, WIDE
from prunetune.analysis.page.figures.forest_plot import forest_svg
from prunetune.analysis.page.view import PageView
from prunetune.analysis.page.write import write_comparison
from prunetune.colors import PALETTE
from prunetune.records.files import StoredFolder
from tests.analysis.drawings import SVG, marks, number, ruler, texts
from tests.analysis.sweeps import make_plan, noisy, run
from tests.analysis.test_page import EVIL, parse

MEANS = {"thin": 0.93, "pruned": 0.936, "reinit": 0.931, EVIL: 0.92}


def view(name: str, arms: dict[str, str], budgets: tuple[float, ...]) -> PageView:
    plan = make_plan(arms, budgets, sweep=name, question=name)
    records = run(plan, noisy(MEANS))
    return PageView(plan, records, analyse(plan, records), base=f"{len(name)}/index.html")


@pytest.fixture(scope="module")
def views() -> list[PageView]:
    two = {"pruned": "channel_pruning", "thin": "width_scaling"}
    three = {"thin": "width_scaling", EVIL: "width_scaling", "pruned": "channel_pruning"}
    return [view("long", two, (0.6, 0.5, 0.39, 0.25, 0.1)), view("short", three, (0.5,))]


def test_pairs_in_common_are_shown_as_the_first_sweep_orders_them(views: list[PageView]) -> None:
    assert shared_pairs(views) == [("pruned", "thin")]
    assert len(shared_pairs(views[1:])) == 3


def test_each_comparison_has_the_same_direction_in_all_sweeps(views: list[PageView]) -> None:
    shown = together(views)
    effects = effects_of(shown, "pruned", "thin")
    (frontier,) = views[0].report.frontiers
    assert [e.whole for e in effects] == [True, *[False] * 6]
    assert effects[0].difference == frontier.area
    (pair,) = (p for p in views[1].report.verdicts[0].pairs if {p.a, p.b} == {"thin", "pruned"})
    assert (pair.a, effects[-1].difference) == ("thin", -(pair.difference or 0))
    assert (effects[-1].low, effects[-1].high) == (-(pair.high or 0), -(pair.low or 0))
    assert {e.ahead for e in effects} == {shown[0].arm("pruned")}


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_the_forest_shows_the_differences(views: list[PageView], width: float) -> None:
    effects = effects_of(together(views), "pruned", "thin")
    root = ET.fromstring(forest_svg("pruned", "thin", effects, width))
    axis = ruler((x, number(w)) for x, _, w in texts(root, "middle"))
    read = [axis(x) / 100 for x, _ in sorted(marks(root, "effect"), key=lambda place: place[1])]
    assert read == pytest.approx([e.difference for e in effects], abs=3e-4)
    hollow = len(marks(root, "effect", "hollow"))
    assert hollow == sum(e.winner is None for e in effects)


def test_an_arm_has_one_colour_in_all_sweeps(views: list[PageView], tmp_path: Path) -> None:
    shown = together(views)
    assert shown[0].arms == shown[1].arms == ("pruned", "thin", EVIL)
    write_comparison(views, StoredFolder(tmp_path))
    drawn = (tmp_path / "forest-0.svg").read_text()
    assert PALETTE[0] in drawn  # pruned is ahead everywhere, and the first of the palette
    assert {path.suffix for path in tmp_path.iterdir()} == {".html", ".json", ".svg", ".pdf"}
    facts = json.loads((tmp_path / "comparison.json").read_text())
    assert [s["sweep"] for s in facts["sweeps"]] == ["long", "short"]
    assert facts["sweeps"][0]["verdicts"]


def test_the_page_is_one_file_and_links_to_the_page_of_each_sweep(views: list[PageView]) -> None:
    content = comparison_page(views)
    checker = parse(content)
    addresses = {link.partition("#")[0] for link in checker.links}
    assert addresses == {"data:,", "4/index.html", "5/index.html", "comparison.json"}
    assert len(checker.scripts) == 1
    assert b"<script>alert" not in content
    for sweep in views:
        assert str(escape(sweep.report.answer)).encode() in content


def test_sweeps_of_one_name_are_told_apart(views: list[PageView]) -> None:
    assert sweep_labels([views[0], views[1], views[0]]) == ["long (1)", "short", "long (2)"]
    effects = effects_of([views[0], views[0]], "pruned", "thin")
    drawn = forest_svg("pruned", "thin", effects, WIDE)
    assert len(marks(ET.fromstring(drawn), "effect")) == 2 * 6
    assert [e.text for e in ET.fromstring(drawn).iter(f"{SVG}text")].count("long (2)") == 1
