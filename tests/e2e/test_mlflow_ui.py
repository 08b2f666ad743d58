"""The answer as a person sees it: `serve`, MLflow's own UI and a real browser."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from prunetune.colors import DENSE, arm_colors
from prunetune.plan import Plan
from prunetune.records.record import TrialSpec
from prunetune.tracking.lines import EffortPoints
from prunetune.tracking.mlflow_store import MlflowStore
from tests.tracking.dump import by_key
from tests.tracking.sweeps import (
    ARMS,
    BUDGETS,
    OWNER,
    make_plan,
    make_record,
    make_results,
    make_spec,
    make_specs,
)

pytestmark = pytest.mark.browser
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
WAIT_MS = 120_000
EFFORT = EffortPoints((0.7, 0.8, 0.85), (1e9, 2e9, 3e9))
SERVE = "import sys; from prunetune.tracking.ui import serve; serve({uri!r}, {name!r}, port={port})"
DRAWN = """() => [...document.querySelectorAll('.js-plotly-plot')].map(plot => plot.data.map(
    trace => ({type: trace.type, x: trace.x, y: trace.y, color: trace.marker.color})))"""


@dataclass
class Ui:
    """A UI that a person has started, and a sweep that began to talk to it too early."""

    process: subprocess.Popen[str]
    port: int
    link: str
    early: MlflowStore


MANY = {**ARMS, **{f"thin {number}": "width_scaling" for number in range(4, 16)}}
"""Fifteen arms, of which the first three have trials and all have results."""


@pytest.fixture(scope="module")
def plan() -> Plan:
    return make_plan(arms=MANY)


def trials(plan: Plan) -> list[TrialSpec]:
    return [spec for spec in make_specs(plan) if spec.arm is None or spec.arm in ARMS]


def track(plan: Plan, uri: str | None, folder: Path) -> MlflowStore:
    store = MlflowStore(plan, uri, folder, OWNER.storage)
    store.sync(map(make_record, trials(plan)))
    store.study_results(make_results(plan))
    store.efforts({study.id: EFFORT for study in plan.studies if study.arm in ARMS})
    return store


@pytest.fixture(scope="module")
def ui(plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ui]:
    folder = tmp_path_factory.mktemp("ui")
    local = track(plan, None, folder)
    local.finish(120)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    early = track(make_plan("early", MANY), f"http://127.0.0.1:{port}", folder)
    process = subprocess.Popen(
        [sys.executable, "-uc", SERVE.format(uri=local.uri, name=plan.sweep, port=port)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path.cwd()), "BROWSER": "true"},
        stdout=subprocess.PIPE,
        text=True,
        # a shell that runs the tests in the background makes their children deaf to Ctrl-C
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdout
    try:
        yield Ui(process, port, process.stdout.readline().strip(), early)
    finally:
        process.terminate()
        process.wait(60)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as p:
        browser = p.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    page = browser.new_page(viewport={"width": 1700, "height": 1100})
    page.set_default_timeout(WAIT_MS)
    yield page
    page.close()


def drawings(page: Any, count: int = 1) -> list[Any]:
    """The traces of the first drawings; a line is drawn twice, the second time pale."""
    for _ in range(60):  # a drawing is made when it comes into view
        page.wait_for_timeout(500)
        if count > 1:
            page.mouse.move(1000, 800)
            page.mouse.wheel(0, 200)
        drawn = page.evaluate(DRAWN)
        if len(drawn) >= count and all(drawn[:count]):
            return [[t for t in traces if not pale(t)] for traces in drawn[:count]]
    raise AssertionError(f"{len(drawn)} drawings instead of {count}")


def pale(trace: Any) -> bool:
    return isinstance(trace["color"], str) and len(trace["color"]) != len(DENSE)


def test_the_link_opens_on_the_frontier_in_fifteen_colours(ui: Ui, page: Any, plan: Plan) -> None:
    page.goto(ui.link)
    lines, (points,) = drawings(page, 2)
    assert page.evaluate("document.querySelector('.js-plotly-plot').layout.xaxis.type") == "log"
    colors = arm_colors(plan.arms())
    assert len(set(colors.values())) == len(MANY) == 15
    results = {s.id: make_results(plan)[s.id] for s in plan.studies}
    assert {t["color"]: sorted(zip(t["x"], t["y"], strict=True)) for t in lines} == {
        color: sorted(
            (results[s.id].macs, results[s.id].confirm_acc1) for s in plan.studies if s.arm == arm
        )
        for arm, color in colors.items()
    }
    assert points["type"].startswith("scatter")
    assert Counter(points["color"]) == dict.fromkeys(colors.values(), len(BUDGETS))
    measured = {(r.macs, r.confirm_acc1) for r in results.values()}
    assert set(zip(points["x"], points["y"], strict=True)) == measured
    assert page.locator("text=Frontier (confirmed)").count() >= 2, "in the menu and as a section"


def test_search_effort_is_drawn_study_by_study(ui: Ui, page: Any, plan: Plan) -> None:
    page.goto(ui.link.replace("=frontier", "=effort"))
    (lines,) = drawings(page)
    assert len(lines) == len(ARMS) * len(BUDGETS)
    assert all((t["x"], t["y"]) == ([1, 2, 3], list(EFFORT.best)) for t in lines)


def test_a_trials_page_shows_its_curve(ui: Ui, page: Any, plan: Plan) -> None:
    record = make_record(make_spec(plan, plan.study("pruned@0.25"), 1))
    client = MlflowClient(f"http://127.0.0.1:{ui.port}")
    run = by_key(client, plan.sweep)[record.key].info
    page.goto(
        f"http://127.0.0.1:{ui.port}/#/experiments/{run.experiment_id}/runs/{run.run_id}"
        "/model-metrics?workflowType=machine_learning"
    )
    curve = ([e.epoch for e in record.curve], [e.val_acc1 for e in record.curve])
    for _ in range(60):
        page.wait_for_timeout(500)
        if any((t["x"], t["y"]) == curve for traces in page.evaluate(DRAWN) for t in traces):
            return
    raise AssertionError("the curve of val_acc1 is nowhere on the page")


def test_training_curves_are_drawn_as_they_are(ui: Ui, page: Any, plan: Plan) -> None:
    page.goto(ui.link.replace("=frontier", "=curves"))
    (solid,) = drawings(page)
    specs = trials(plan)
    colors = {**arm_colors(plan.arms()), None: DENSE}
    assert Counter(t["color"] for t in solid) == Counter(colors[s.arm] for s in specs)
    curves = {tuple(e.val_acc1 for e in make_record(spec).curve) for spec in specs}
    assert {tuple(t["y"]) for t in solid} == curves


def test_the_recipes_view_draws_every_trial_with_what_was_searched(ui: Ui, page: Any) -> None:
    page.goto(ui.link.replace("=frontier", "=recipes"))
    page.wait_for_selector(".parcoords .dimension")
    labels = page.locator(".parcoords").first.locator(".dimension .label").all_text_contents()
    wanted = ["arm", "budget", "log10 lr", "log10 weight_decay", "val_acc1"]
    assert len(labels) == len(wanted)
    for label, name in zip(labels, wanted, strict=True):
        # Where an axis is narrow for the machine's fonts, MLflow leaves out the middle of a name.
        head, gap, tail = label.partition("...")
        assert label == name or (gap and name.startswith(head) and name.endswith(tail)), label


def test_a_sweep_that_began_before_the_server_has_been_caught_up(ui: Ui, plan: Plan) -> None:
    ui.early.finish(120)
    client = MlflowClient(f"http://127.0.0.1:{ui.port}")
    assert by_key(client, "early").keys() == by_key(client, plan.sweep).keys()


def test_ctrl_c_stops_the_ui_and_leaves_no_process(ui: Ui) -> None:
    assert serving(ui.port)
    ui.process.send_signal(signal.SIGINT)
    assert ui.process.wait(60) == 0
    assert not serving(ui.port)


def serving(port: int) -> list[str]:
    """The command lines of all processes that name the port."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue  # it has just ended
        if str(port) in words:
            found.append(" ".join(words))
    return found
