"""`prunetune audit`: what it prints, its exit codes, and the table of all rules."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from prunetune.analysis.audit.finding import SEVERITIES
from prunetune.records.key import digest
from prunetune.records.store import Store
from tests.analysis.audit.cases import Sweep, clean_sweep
from tests.cli.command import prunetune

README = Path(__file__).parents[2] / "prunetune" / "analysis" / "audit" / "README.md"
TABLE = re.compile(r"(<!-- prunetune audit --rules -->\n).*?(<!-- end -->)", re.DOTALL)


def stored(storage: Path, sweep: Sweep) -> Path:
    store = Store(storage, sweep.plan.sweep)
    plan = sweep.plan.model_dump(mode="json", by_alias=True)
    store.plan_file.write_json({"hash": digest(plan), "growth": [], "spec": {}, "plan": plan})
    for record in sweep.records.values():
        store.write_record(record)
    return store.root


@pytest.fixture(scope="module")
def clean() -> Sweep:
    return clean_sweep()


def test_a_sweep_without_errors_passes(tmp_path: Path, clean: Sweep) -> None:
    done = prunetune("audit", stored(tmp_path, clean))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "audit of made-up: 0 errors, 0 warnings and 0 notes\n"


def test_a_warning_passes_and_an_error_does_not(tmp_path: Path, clean: Sweep) -> None:
    warned = clean.planned(dense_fresh=False)
    done = prunetune("audit", stored(tmp_path / "warned", warned))
    assert done.returncode == 0
    assert "warning: shared_dense_network" in done.stdout
    failed = warned.without(lambda r: r.seed == 1004)
    done = prunetune("audit", stored(tmp_path / "failed", failed))
    assert done.returncode == 1
    assert "error: unfinished_sweep" in done.stdout
    assert "Traceback" not in done.stderr


def test_people_and_scripts_are_told_the_same(tmp_path: Path, clean: Sweep) -> None:
    folder = stored(tmp_path, clean.planned(dense_fresh=False).dense(salient={}))
    text, findings = prunetune("audit", folder).stdout, prunetune("audit", folder, "--json").stdout
    report = json.loads(prunetune("report", folder, "--json").stdout)
    assert json.loads(findings) == report["findings"]
    for finding in report["findings"]:
        assert set(finding) == {"rule", "severity", "message", "advice", "records"}
        assert finding["severity"] in SEVERITIES
        assert f"{finding['severity']}: {finding['rule']}" in text
        assert finding["message"] in " ".join(text.split())


@pytest.mark.parametrize("words", [["audit"], ["audit", "nothing", "--storage", "TMP"]])
def test_bad_input_is_refused(words: list[str], tmp_path: Path) -> None:
    done = prunetune(*[tmp_path if word == "TMP" else word for word in words])
    assert done.returncode == 2
    assert done.stderr.startswith("prunetune: ")


def written_anew(text: str) -> str:
    table = prunetune("audit", "--rules").stdout
    return TABLE.sub(lambda found: found[1] + table + found[2], text)


def test_the_table_of_rules_is_that_of_the_code() -> None:
    text = README.read_text(encoding="utf-8")
    assert text == written_anew(text), "run: python -m tests.cli.test_audit"
    assert text.count("\n| ") > 30


if __name__ == "__main__":
    README.write_text(written_anew(README.read_text(encoding="utf-8")), encoding="utf-8")
