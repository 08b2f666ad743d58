"""A user's own parts, installed as a package or named as modules, work like the product's own."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.plugins.installing import EXAMPLE, PACKAGE, install, python

SWEEP = Path(__file__).with_name("sweep.yaml")
PARTS = {
    "criteria": "apoz",
    "regularizers": "l1",
    "schedules": "polynomial",
    "methods": "leading",
    "models": "plain_net",
    "datasets": "stripes",
}
FILES = ("criterion", "regularizer", "schedule", "method", "model", "dataset")

KINDS = """
import json
from prunetune.registry import KINDS

print(json.dumps({kind: registry.names() for kind, registry in KINDS.items()}))
"""

TRIALS = """
import sys
from prunetune.agenda import Agenda, Ask, Finished, Trials, due, search_spec
from prunetune.records.record_builder import RecordBuilder
from prunetune.records.store import Store
from prunetune.sweep import plan_sweep
from prunetune.trial import run_trial

plan, store = plan_sweep(sys.argv[1]), Store(sys.argv[2], "plugged-in")
def trials(): return Trials(store.records(), store.trials())
while not isinstance(step := due(Agenda(plan, trials())), Finished):
    spec = step.spec if not isinstance(step, Ask) else search_spec(
        plan, step, step.study.space.constants(), store.records())
    store.write_trial(spec)
    builder = RecordBuilder(spec)
    for report in run_trial(spec, store, device="cpu", offline=True):
        builder.add(report)
    store.write_record(builder.record())
    print(spec.phase, spec.arm, builder.record().status)
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install(tmp_path_factory.mktemp("site"))


@pytest.mark.slow
def test_list_shows_what_is_installed(site: Path) -> None:
    listed = python("-m", "prunetune.cli", "list", "criteria", path=site)
    assert listed.returncode == 0, listed.stderr
    assert "apoz" in listed.stdout
    assert "1607.03250" in listed.stdout
    every = python("-c", KINDS, path=site)
    assert every.returncode == 0, every.stderr
    for kind, names in json.loads(every.stdout).items():
        assert PARTS.get(kind, "sgd") in names
        assert len(names) > 1  # beside the product's own


@pytest.mark.slow
def test_a_sweep_of_own_parts_plans_and_all_its_trials_run(site: Path, tmp_path: Path) -> None:
    planned = python("-m", "prunetune.cli", "plan", SWEEP, "--json", path=site)
    assert planned.returncode == 0, planned.stderr
    studies = [row["study"] for row in json.loads(planned.stdout)["rows"]]
    assert studies == ["dense", "pruned@0.5", "leading@0.5"]
    ran = python("-c", TRIALS, SWEEP, tmp_path, path=site)
    assert ran.returncode == 0, ran.stderr
    lines = ran.stdout.splitlines()
    assert len(lines) == 6  # two dense networks; for each arm a search and a confirm trial
    assert all(line.endswith(" completed") for line in lines)


@pytest.mark.slow
def test_own_parts_keep_the_contracts(site: Path) -> None:
    tests = EXAMPLE / "tests"
    done = python("-m", "pytest", "-p", "no:cacheprovider", "-n", "0", tests, path=site)
    assert done.returncode == 0, done.stdout
    assert "6 passed" in done.stdout


@pytest.mark.slow
def test_modules_named_in_the_sweep_file_need_no_installation(tmp_path: Path) -> None:
    shutil.copytree(EXAMPLE / PACKAGE, tmp_path / PACKAGE)
    without = python("-m", "prunetune.cli", "plan", SWEEP, path=tmp_path)
    assert without.returncode == 2
    assert "plain_net" in without.stderr
    modules = [f"{PACKAGE}.{name}" for name in FILES]
    named = python(
        "-m", "prunetune.cli", "plan", SWEEP, "--set", f"plugins={json.dumps(modules)}",
        path=tmp_path,
    )  # fmt: skip
    assert named.returncode == 0, named.stderr


@pytest.mark.slow
def test_a_plugin_that_cannot_be_imported_is_named(site: Path, tmp_path: Path) -> None:
    broken = tmp_path / "site"
    shutil.copytree(site, broken)
    (broken / PACKAGE / "criterion.py").write_text("import no_such_module\n")
    done = python("-m", "prunetune.cli", "list", "criteria", path=broken)
    assert done.returncode == 2
    assert "prunetune-example" in done.stderr
    assert "no_such_module" in done.stderr
    assert "Traceback" not in done.stderr
