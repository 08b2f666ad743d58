"""The page: complete in one file, and safe whatever names people choose."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path

import pytest

from prunetune.analysis import analyse, write_report
from prunetune.analysis.page.figures.svg import Scale
from prunetune.analysis.page.html import page
from prunetune.analysis.page.write import figure_files
from prunetune.plan import Plan
from prunetune.records.files import StoredFolder
from prunetune.records.record import Record
from tests.analysis.sweeps import make_plan, noisy, run

VOID = {"meta", "link", "br", "hr", "img", "input"}
EVIL = '<script>alert("1")</script>&'


class Checker(HTMLParser):
    """Fails on tags that do not close and collects what would be fetched."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href", "srcset")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def parse(content: bytes) -> Checker:
    checker = Checker()
    checker.feed(content.decode())
    assert checker.open == []
    return checker


def sweep(**options: object) -> tuple[Plan, dict[str, Record]]:
    arms = {"thin": "width_scaling", "pruned": "channel_pruning", "reinit": "reinit"}
    plan = make_plan(arms, (0.5, 0.25), **options)  # type: ignore[arg-type]
    return plan, run(plan, noisy({"thin": 0.93, "pruned": 0.935, "reinit": 0.931}))


def test_the_page_needs_nothing_but_itself() -> None:
    plan, records = sweep()
    content = page(plan, records, analyse(plan, records))
    checker = parse(content)
    assert set(checker.links) == {"data:,", "report.json", "frontier.csv", "trials.csv"}
    assert "script" not in checker.tags
    text = content.decode().replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"https?://|url\(|@import", text)
    assert len(content) < 200_000


@pytest.mark.parametrize("replicates", [1, 2])
def test_the_figure_has_one_mark_per_study(replicates: int) -> None:
    plan, records = sweep(replicates=replicates, matchings=("scratch_e", "scratch_b"))
    content = page(plan, records, analyse(plan, records)).decode()
    assert content.count('class="mark study ') == len(plan.studies)


def test_names_are_text_and_never_markup(tmp_path: Path) -> None:
    arms = {EVIL: "width_scaling", "pruned": "channel_pruning"}
    plan = make_plan(arms, (0.5, 0.25), sweep=EVIL, question=EVIL)
    records = run(plan, noisy({EVIL: 0.93, "pruned": 0.935}))
    records = {
        key: r.model_copy(update={"status": "failed", "error": EVIL}) if r.number == 0 else r
        for key, r in records.items()
    }
    write_report(plan, records, StoredFolder(tmp_path))
    content = (tmp_path / "index.html").read_bytes()
    assert "script" not in parse(content).tags
    assert b"&lt;script&gt;" in content
    for drawing in tmp_path.glob("*.svg"):
        ET.parse(drawing)


def test_figures_stand_alone_as_files() -> None:
    plan, records = sweep()
    drawn = figure_files(plan, analyse(plan, records))
    assert drawn.keys() == {"frontier.svg", "differences.svg"}
    for content in drawn.values():
        root = ET.fromstring(content)
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert "--c: #0072B2" in content.decode()


@pytest.mark.parametrize("log", [False, True])
def test_a_scale_is_monotone_and_keeps_to_its_ends(log: bool) -> None:
    scale = Scale(3.0, 4000.0, 10.0, 500.0, log)
    values = [1.0, 3.0, 7.0, 50.0, 999.0, 4000.0, 9000.0]
    pixels = [scale(value) for value in values]
    assert pixels == sorted(pixels)
    assert (pixels[0], pixels[-1]) == (10.0, 500.0)
    assert all(3.0 <= tick <= 4000.0 for tick in scale.ticks())
    assert len(scale.ticks()) >= 3
