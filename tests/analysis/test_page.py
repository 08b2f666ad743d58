"""The page: complete in one file, and safe whatever names people choose."""

from __future__ import annotations

import base64
import hashlib
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path

import pytest
from markupsafe import escape

from prunetune.analysis import analyse, write_report
from prunetune.analysis.page.figures.differences_plot import (
    MOST_COMPARISONS,
    shown_comparisons,
)
from prunetune.analysis.page.html import page
from prunetune.analysis.page.second_table import second_columns, second_lines
from prunetune.analysis.page.strip import strip
from prunetune.analysis.page.view import PageView, budget_name
from prunetune.plan import Plan
from prunetune.records.files import StoredFolder
from prunetune.records.record import Record, TrainMacs
from tests.analysis.experiments import NAMES, experiment
from tests.analysis.sweeps import make_plan, noisy, run

VOID = {"meta", "link", "br", "hr", "img", "input"}
EVIL = '<script>alert("1")</script>&\'`${1}'


class Checker(HTMLParser):
    """Fails on tags that do not close; collects links, ids, scripts and handlers."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self.scripts: list[str] = []
        self.policy = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = {name: value or "" for name, value in attrs}
        assert not [name for name in known if name.startswith("on")]
        self.links += [known[name] for name in ("src", "href", "srcset") if name in known]
        self.ids += [known["id"]] if "id" in known else []
        if tag == "meta" and known.get("http-equiv") == "Content-Security-Policy":
            self.policy = known["content"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.scripts.append(data)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def parse(content: bytes) -> Checker:
    checker = Checker()
    checker.feed(content.decode())
    checker.close()
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
    outside = {link for link in checker.links if not link.startswith("#")}
    assert outside == {"data:,", "report.json", "frontier.csv", "trials.csv"}
    assert {link[1:] for link in checker.links if link.startswith("#")} <= set(checker.ids)
    assert len(checker.ids) == len(set(checker.ids))
    text = content.decode().replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"https?://|url\(|@import|fetch\(|innerHTML", text)
    assert len(content) < 400_000


def test_the_policy_allows_the_page_s_own_script_and_no_other() -> None:
    plan, records = sweep()
    checker = parse(page(plan, records, analyse(plan, records)))
    digest = base64.b64encode(hashlib.sha256("".join(checker.scripts).encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in checker.policy
    assert "default-src 'none'" in checker.policy


def test_names_are_text_and_never_markup(tmp_path: Path) -> None:
    arms = {EVIL: "width_scaling", "pruned": "channel_pruning"}
    plan = make_plan(
        arms, (0.5, 0.25), sweep=EVIL, question=EVIL, matchings=(EVIL, "scratch_b"), trials=9
    )
    records = run(plan, noisy({EVIL: 0.93, "pruned": 0.935}))
    records = {key: _with_evil(record) for key, record in records.items()}
    write_report(plan, records, StoredFolder(tmp_path))
    content = (tmp_path / "index.html").read_bytes()
    assert len(parse(content).scripts) == 1
    assert b"&lt;script&gt;" in content
    assert b"<script>alert" not in content
    drawings = sorted(tmp_path.glob("*.svg"))
    assert drawings
    for drawing in drawings:
        assert not [e for e in ET.parse(drawing).iter() if e.tag.endswith("script")]


def _with_evil(record: Record) -> Record:
    if record.phase != "search":
        return record
    config = {**record.config, EVIL: EVIL, "recipe.optimizer": EVIL}
    lost = {"status": "failed", "error": EVIL} if record.number == 0 else {}
    return record.model_copy(update={"config": config, **lost})


@pytest.mark.parametrize(
    ("budget", "words"), [(0.5, "50 %"), (0.125, "12.5 %"), ("sparsity=0.9", "90 % sparsity")]
)
def test_budgets_are_percentages(budget: float | str, words: str) -> None:
    assert budget_name(budget) == words


def test_without_its_script_the_page_shows_every_figure() -> None:
    """Panels that only a switch brings up are hidden; they repeat a visible one at other prices."""
    plan, records = sweep(matchings=("scratch_e", "scratch_b"))
    content = page(plan, records, analyse(plan, records)).decode()
    panels = re.findall(r'<div class="panel" data-when="([^"]+)"( hidden)?>', content)
    hidden = [when for when, off in panels if off]
    assert len(panels) > 20
    assert all(re.search(r"price=by-|published=yes", when) for when in hidden)
    shown = {when for when, off in panels if not off}
    assert {w for w in shown if "x=macs" in w} == {"x=macs matching=m0", "x=macs matching=m1"}


@pytest.mark.slow  # all of them together
@pytest.mark.parametrize("name", NAMES)
def test_the_page_of_every_committed_experiment_renders(name: str) -> None:
    plan, records = experiment(name)
    report = analyse(plan, records)
    content = page(plan, records, report)
    checker = parse(content)
    assert {link[1:] for link in checker.links if link.startswith("#")} <= set(checker.ids)
    assert len(content) < 1_000_000
    assert sum(row.test_acc1 is not None for row in report.frontier) > 5


@pytest.mark.parametrize(("dense", "is_withheld"), [(0.96, False), (0.9, True)])
def test_while_the_answer_is_withheld_the_strip_names_no_winner(
    dense: float, is_withheld: bool
) -> None:
    arms = {"thin": "width_scaling", "pruned": "channel_pruning"}
    plan = make_plan(arms, (0.5, 0.4, 0.3, 0.25), seeds=5)
    records = run(plan, noisy({"thin": 0.93, "pruned": 0.945}), dense=dense)
    report = analyse(plan, records)
    assert any(v.winner == "pruned" for v in [*report.verdicts, *report.frontiers])
    assert report.withheld == is_withheld == report.answer.startswith("The answer is withheld")
    cells = [cell for _, row in strip(PageView(plan, records, report)) for cell in row]
    assert any(cell.arm is not None for cell in cells) != is_withheld
    assert any("pruned" in cell.verdict for cell in cells) != is_withheld
    assert any(cell.verdict == "withheld" for cell in cells) == is_withheld


def test_second_verdicts_stand_beside_the_first_and_changes_are_strong() -> None:
    plan, records = sweep(trials=8)
    shown = PageView(plan, records, analyse(plan, records))
    lines = second_lines(shown)
    assert second_columns(shown)[0] == "as run"
    assert len(lines) == len(shown.report.verdicts) + len(shown.report.frontiers)
    changed = [
        sum(line.verdicts[i][1] for line in lines) for i in range(1, len(second_columns(shown)))
    ]
    assert changed == [len(second.changes) for second in shown.report.second_verdicts]
    assert not any(line.verdicts[0][1] for line in lines)
    content = page(plan, records, shown.report).decode()
    assert all(str(escape(s.sentence)) in content for s in shown.report.second_verdicts)


@pytest.mark.parametrize("kept", ["none", "dense", "no confirms", "half", "lost", "level", "idle"])
@pytest.mark.parametrize("options", [{}, {"replicates": 2, "seeds": 1}, {"matchings": ("a", "b")}])
def test_unfinished_and_failed_sweeps_render(kept: str, options: dict[str, object]) -> None:
    plan, records = sweep(**options)
    lost = {"status": "diverged", "test_acc1": None, "val_acc1": None, "architecture": None}
    unspent = {"curve": (), "train_macs": TrainMacs()}
    some = {
        "none": lambda i, r: None,
        "dense": lambda i, r: r if r.phase == "dense" else None,
        "no confirms": lambda i, r: r if r.phase != "confirm" else None,
        "half": lambda i, r: r if i % 2 else None,
        "lost": lambda i, r: r if i % 3 else r.model_copy(update=lost),
        "level": lambda i, r: r.model_copy(update={"test_acc1": r.test_acc1 and 0.9}),
        "idle": lambda i, r: r.model_copy(update={**lost, "status": "failed", **unspent}),
    }
    found = {k: some[kept](i, r) for i, (k, r) in enumerate(records.items())}
    left = {key: record for key, record in found.items() if record is not None}
    parse(page(plan, left, analyse(plan, left)))


def test_of_very_many_comparisons_the_clearest_are_drawn() -> None:
    arms = {f"arm {i}": "width_scaling" for i in range(20)}
    plan = make_plan(arms, (0.5, 0.25), trials=1, seeds=3)
    means = {arm: 0.6 + 0.016 * i for i, arm in enumerate(arms)}
    records = run(plan, noisy(means))
    report = analyse(plan, records)
    drawn = shown_comparisons(report.verdicts)
    pairs = [pair for _, group in drawn for pair in group]
    every = [pair for verdict in report.verdicts for pair in verdict.pairs]
    assert len(pairs) == MOST_COMPARISONS < len(every)
    settled = sum(pair.verdict != "undecided" for pair in every)
    assert sum(pair.verdict != "undecided" for pair in pairs) == min(settled, MOST_COMPARISONS)
    content = page(plan, records, report).decode()
    assert f"The {MOST_COMPARISONS} clearest of {len(every)} comparisons" in content
    assert len(content) < 2_000_000
