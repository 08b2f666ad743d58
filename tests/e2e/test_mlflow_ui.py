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
from prunetune.tracking.mlflow_store import MlflowStore
from tests.tracking.dump import by_key
from tests.tracking.sweeps import (
    BUDGETS,
    LR,
    OWNER,
    make_plan,
    make_record,
    make_results,
    make_specs,
)

pytestmark = pytest.mark.browser
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
WAIT_MS = 120_000
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


@pytest.fixture(scope="module")
def plan() -> Plan:
    return make_plan()


def track(plan: Plan, uri: str | None, folder: Path) -> MlflowStore:
    store = MlflowStore(plan, uri, folder, OWNER.storage)
    store.sync(map(make_record, make_specs(plan)))
    store.study_results(make_results(plan))
    return store


@pytest.fixture(scope="module")
def ui(plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ui]:
    folder = tmp_path_factory.mktemp("ui")
    local = track(plan, None, folder)
    local.finish(120)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    early = track(make_plan("early"), f"http://127.0.0.1:{port}", folder)
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


def first_drawing(page: Any) -> Any:
    page.wait_for_selector(".js-plotly-plot .points path, .js-plotly-plot .lines path")
    return page.evaluate(DRAWN)[0]


def test_the_link_opens_on_the_frontier_in_the_arms_colours(ui: Ui, page: Any, plan: Plan) -> None:
    page.goto(ui.link)
    (trace,) = first_drawing(page)
    assert trace["type"].startswith("scatter")
    colors = arm_colors(plan.arms()).values()
    assert Counter(trace["color"]) == dict.fromkeys(colors, len(BUDGETS))
    points = {(r.macs, r.confirm_acc1) for r in make_results(plan).values()}
    assert set(zip(trace["x"], trace["y"], strict=True)) == points
    assert page.locator("text=Frontier (confirmed)").count() >= 2, "in the menu and as a section"


def test_training_curves_are_drawn_as_they_are(ui: Ui, page: Any, plan: Plan) -> None:
    page.goto(ui.link.replace("=frontier", "=curves"))
    traces = first_drawing(page)
    solid = [t for t in traces if len(t["color"]) == len(DENSE)]  # others: the unsmoothed, pale
    specs = list(make_specs(plan))
    colors = {**arm_colors(plan.arms()), None: DENSE}
    assert Counter(t["color"] for t in solid) == Counter(colors[s.arm] for s in specs)
    curves = {tuple(e.val_acc1 for e in make_record(spec).curve) for spec in specs}
    assert {tuple(t["y"]) for t in solid} == curves


def test_the_recipes_view_draws_every_trial_with_what_was_searched(ui: Ui, page: Any) -> None:
    page.goto(ui.link.replace("=frontier", "=recipes"))
    page.wait_for_selector(".parcoords .dimension")
    labels = page.locator(".parcoords").first.locator(".dimension .label").all_text_contents()
    wanted = ["arm", "budget", LR, "recipe.weight_decay", "val_acc1"]
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
