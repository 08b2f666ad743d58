"""Figures: what they show equals the numbers, and what tells arms apart."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from statistics import fmean

import pytest

from prunetune.analysis import analyse
from prunetune.analysis.page.effort_panels import effort_figures
from prunetune.analysis.page.figure_files import figure_files
from prunetune.analysis.page.figures.axes import NARROW, WIDE, axes
from prunetune.analysis.page.figures.differences_plot import differences_svg
from prunetune.analysis.page.figures.frontier_plot import FrontierFigure
from prunetune.analysis.page.figures.pair_plot import pair_svg
from prunetune.analysis.page.figures.parallel_plot import parallel_svg
from prunetune.analysis.page.figures.phase_plot import phase_svg, regions
from prunetune.analysis.page.figures.svg import Scale, mark
from prunetune.analysis.page.literature import published_results
from prunetune.analysis.page.prices import PRICES, Price, training_of_one
from prunetune.analysis.page.view import PageView
from prunetune.colors import PALETTE, arm_colors
from tests.analysis.drawings import SVG, Ruler, marks, number, ruler, texts, y_ruler
from tests.analysis.sweeps import make_plan, noisy, run

ARMS = {"thin": "width_scaling", "pruned": "channel_pruning", "reinit": "reinit"}
MATCHINGS = ("scratch_e", "scratch_b")


def view(**options: object) -> PageView:
    plan = make_plan(ARMS, (0.5, 0.25, 0.1), **options)  # type: ignore[arg-type]
    records = run(plan, noisy({"thin": 0.93, "pruned": 0.935, "reinit": 0.931}))
    return PageView(plan, records, analyse(plan, records))


@pytest.mark.parametrize("width", [WIDE, NARROW])
@pytest.mark.parametrize("replicates", [1, 2])
def test_the_frontier_has_one_mark_per_study_where_its_numbers_say(
    width: float, replicates: int
) -> None:
    shown = view(replicates=replicates, matchings=MATCHINGS)
    drawn = 0
    for matching in MATCHINGS:
        svg = FrontierFigure(shown, axes(shown)[1], matching, width).svg()
        root = ET.fromstring(svg or "")
        rows = [r for r in shown.report.frontier if r.matching in (None, matching)]
        read = sorted(
            (x_ruler(root)(x), y_ruler(root)(y) / 100) for x, y in marks(root, "mark", "study")
        )
        assert len(read) == len(rows)
        assert [x for x, _ in read] == pytest.approx(sorted(r.params or 0 for r in rows), rel=0.03)
        expected = sorted(row.test_acc1 or 0 for row in rows)
        assert sorted(a for _, a in read) == pytest.approx(expected, abs=3e-4)
        drawn += len(read)
    inheriting = sum(r.matching is None for r in shown.report.frontier)
    assert drawn == len(shown.report.frontier) + inheriting


def x_ruler(root: ET.Element) -> Ruler:
    return ruler(((x, number(words)) for x, _, words in texts(root, "middle")), log=True)


def test_the_pair_figure_shows_the_differences_of_the_verdicts() -> None:
    shown = view()
    svg = pair_svg(shown, "thin", "pruned", "scratch_b", WIDE)
    root = ET.fromstring(svg or "")
    read = [y_ruler(root)(y) / 100 for _, y in sorted(marks(root, "mark", "pair"))]
    pairs = [p for v in shown.report.verdicts for p in v.pairs if (p.a, p.b) == ("thin", "pruned")]
    assert read == pytest.approx([p.difference for p in reversed(pairs)], abs=2e-4)


def test_whiskers_end_where_the_intervals_do() -> None:
    shown = view()
    root = ET.fromstring(pair_svg(shown, "thin", "pruned", "scratch_b", WIDE) or "")
    bars = [
        e for e in root.iter(f"{SVG}line")
        if "whisker" in e.get("class", "") and e.get("x1") == e.get("x2")
    ]  # fmt: skip
    bars.sort(key=lambda e: float(e.get("x1", 0)), reverse=True)
    pairs = [p for v in shown.report.verdicts for p in v.pairs if (p.a, p.b) == ("thin", "pruned")]
    for bar, pair in zip(bars, pairs, strict=True):
        ends = [y_ruler(root)(float(bar.get(name, 0))) / 100 for name in ("y1", "y2")]
        assert ends == pytest.approx([pair.low, pair.high], abs=3e-4)


@pytest.mark.parametrize("price", PRICES, ids=lambda p: p.name)
def test_the_phase_diagram_fills_settled_marks_alone(price: Price) -> None:
    shown = view()
    root = ET.fromstring(phase_svg(shown, price, WIDE) or "")
    settled = sum(v.verdict == "wins" for v in shown.report.verdicts)
    assert len(marks(root, "phase")) == len(shown.report.verdicts)
    assert len(marks(root, "phase", "hollow")) == len(shown.report.verdicts) - settled
    for region in regions(shown, price):
        assert min(region.costs.values()) <= region.training <= max(region.costs.values())
        scratch = [region.costs[arm] for arm in ("thin", "reinit")]
        assert region.training == pytest.approx(fmean(scratch))


def test_the_price_of_the_dense_network_is_shared_and_lost_nowhere() -> None:
    shown = view()
    full, *shared, free = PRICES
    for row in shown.rows:
        costs = [training_of_one(shown, row, price) or 0.0 for price in PRICES]
        assert costs == sorted(costs, reverse=True)
        dense = costs[0] - costs[-1]
        inherited = fmean(r.train_macs.inherited for r in shown.confirms[row.study])
        assert dense == pytest.approx(inherited)
        for price, cost in zip(shared, costs[1:-1], strict=True):
            assert cost - costs[-1] == pytest.approx(dense * price.share)
    assert (full.share, free.share) == (1.0, 0.0)


def test_recipes_are_lines_of_trials_with_the_winners_thick() -> None:
    shown = view(trials=6)
    root = ET.fromstring(parallel_svg(shown, "thin") or "")
    lines = [e for e in root.iter(f"{SVG}path") if "recipe" in e.get("class", "")]
    winners = [e for e in lines if "winner" in e.get("class", "").split()]
    assert len(lines) == 6 * 3
    assert len(winners) == 3
    tips = [e.findtext(f"{SVG}title") or "" for e in winners]
    assert {re.search(r"key (\w+)", tip)[1] for tip in tips} == {  # type: ignore[index]
        row.winner for row in shown.rows if row.arm == "thin"
    }


def test_published_results_are_off_by_default_and_stand_at_their_ratio() -> None:
    shown = view(workload={"dataset": {"cifar10": {}}})
    assert published_results(shown.plan)
    axis = axes(shown)[0]
    off = FrontierFigure(shown, axis, "scratch_b", WIDE).svg() or ""
    assert "published" not in off
    found = published_results(shown.plan)
    root = ET.fromstring(FrontierFigure(shown, axis, "scratch_b", WIDE, found).svg() or "")
    rings = marks_of(root, "published")
    assert len(rings) == len(found)
    read = sorted(y_ruler(root)(y) / 100 for _, y in rings)
    assert read == pytest.approx(sorted(p.accuracy for p in found), abs=3e-4)


def marks_of(root: ET.Element, name: str) -> list[tuple[float, float]]:
    with_place = [e for e in root.iter(f"{SVG}path") if e.get("transform")]
    for element in root.iter(f"{SVG}path"):
        if element not in with_place:
            element.set("class", "")
    return marks(root, name)


def test_figures_stand_alone_as_files() -> None:
    shown = view(workload={"dataset": {"cifar10": {}}})
    files = figure_files(shown)
    assert {"frontier.svg", "frontier-params.pdf", "differences.svg", "phase.pdf"} <= files.keys()
    for name, content in files.items():
        if name.endswith(".pdf"):
            assert content.startswith(b"%PDF")
            continue
        root = ET.fromstring(content)
        assert root.tag == f"{SVG}svg"
        text = content.decode()
        assert not re.search(r"var\(|class=|href|<style", text)
        assert any(color in text for color in arm_colors(ARMS).values())


@pytest.mark.parametrize("color", PALETTE)
def test_every_colour_stands_out_on_white(color: str) -> None:
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    assert 1.05 / (luminance + 0.05) >= 3


def test_no_two_of_64_arms_look_alike() -> None:
    colors = list(arm_colors([f"arm {i}" for i in range(64)]).values())
    shapes = [re.search(r' d="([^"]+)"', mark(0, 0, i)) for i in range(64)]
    assert all(shapes)
    assert len({(c, s.group(1)) for c, s in zip(colors, shapes, strict=True) if s}) == 64


@pytest.mark.parametrize("log", [False, True])
def test_a_scale_is_monotone_and_keeps_to_its_ends(log: bool) -> None:
    scale = Scale(3.0, 4000.0, 10.0, 500.0, log)
    values = [1.0, 3.0, 7.0, 50.0, 999.0, 4000.0, 9000.0]
    pixels = [scale(value) for value in values]
    assert pixels == sorted(pixels)
    assert (pixels[0], pixels[-1]) == (10.0, 500.0)
    assert all(3.0 <= tick <= 4000.0 for tick in scale.ticks())
    assert len(scale.ticks()) >= 3


def test_a_log_scale_of_a_narrow_range_has_ticks_too() -> None:
    assert len(Scale(41.0, 48.0, 0.0, 100.0, log=True).ticks()) >= 2


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_effort_curves_end_at_the_best_of_each_search(sampler: str) -> None:
    shown = view(trials=8, sampler={"name": sampler})
    drawn = [figure for figure in effort_figures(shown) if figure.when == "effort=trials"]
    assert len(drawn) == len(shown.report.verdicts)
    for figure in drawn:
        root = ET.fromstring(figure.svg)
        lines = [e.get("points", "").split() for e in root.iter(f"{SVG}polyline")]
        assert [len(line) for line in lines] == [8] * 3
        ends = [y_ruler(root)(float(line[-1].split(",")[1])) / 100 for line in lines]
        assert ends == pytest.approx([0.92] * 3, abs=5e-4)  # the records' best validation accuracy
        bands = [e for e in root.iter(f"{SVG}path") if "band" in e.get("class", "")]
        assert len(bands) == (3 if sampler == "random" else 0)


def test_every_figure_carries_the_rung() -> None:
    shown = view()
    (rung,) = shown.report.rungs
    figures = [svg for name, svg in figure_files(shown).items() if name.endswith(".svg")]
    figures += [figure.svg.encode() for figure in effort_figures(shown)]
    assert len(figures) > 5
    for svg in figures:
        words = "; ".join(e.text or "" for e in ET.fromstring(svg).iter(f"{SVG}text"))
        assert f"rung {rung.rung}: " in words


def test_the_mean_over_all_budgets_is_a_band_of_the_pair_figure() -> None:
    plan = make_plan(ARMS, (0.6, 0.5, 0.39, 0.25, 0.1))
    records = run(plan, noisy({"thin": 0.93, "pruned": 0.935, "reinit": 0.931}))
    shown = PageView(plan, records, analyse(plan, records))
    (found,) = (f for f in shown.report.frontiers if (f.a, f.b) == ("thin", "pruned"))
    root = ET.fromstring(pair_svg(shown, "thin", "pruned", "scratch_b", WIDE) or "")
    (band,) = (e for e in root.iter(f"{SVG}rect") if "area" in e.get("class", ""))
    top, height = float(band.get("y", 0)), float(band.get("height", 0))
    ends = [y_ruler(root)(pixel) / 100 for pixel in (top + height, top)]
    assert ends == pytest.approx([found.low, found.high], abs=3e-4)


def test_long_names_leave_room_for_the_differences() -> None:
    arms = {f"an arm of a rather long and winding name, number {i}": "width_scaling" for i in "12"}
    plan = make_plan(arms, (0.5, 0.25))
    records = run(plan, noisy(dict(zip(arms, (0.93, 0.95), strict=True))))
    shown = PageView(plan, records, analyse(plan, records))
    drawn = differences_svg(shown) or ""
    root = ET.fromstring(drawn)
    ticks = [x for x, _, words in texts(root, "middle") if number(words) is not None]
    assert ticks[-1] - ticks[0] > 100
    assert "…" in drawn
