"""The command line as a user meets it: exit codes, what is said, and what is not imported."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.command import prunetune

QUICK = Path("sweeps/quickstart.yaml")
HEAVY = ("torch", "ray", "mlflow", "optuna", "sklearn", "torchvision", "pandas")
IMPATIENT = {"RAY_NUM_REDIS_GET_RETRIES": "1", "RAY_py_gcs_connect_timeout_s": "1"}
"""Lets Ray give up at once where no cluster answers; it tries for longer than a minute else."""


def process(*words: object) -> subprocess.CompletedProcess[str]:
    """The real command."""
    command = [sys.executable, "-m", "prunetune.cli", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def imported_by(*words: object) -> set[str]:
    """The heavy packages that a verb imports."""
    code = (
        "import sys, contextlib, io\n"
        "from prunetune.cli.app import app\n"
        "with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):\n"
        f"    app({[str(w) for w in words]!r})\n"
        f"print([m for m in {HEAVY!r} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1].replace("'", '"')))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "allowed"),
    [
        (["--help"], set()),
        (["sweep", "--help"], set()),
        (["schema"], set()),
        (["schema", "--json"], set()),
        (["list", "sweeps"], set()),
        (["plan", QUICK], {"torch"}),
    ],
)
def test_verbs_import_only_what_they_need(words, allowed):
    assert imported_by(*words) <= allowed


@pytest.mark.slow
def test_the_printed_schema_is_a_sweep_that_plans(tmp_path: Path):
    path = tmp_path / "printed.yaml"
    path.write_text(process("schema").stdout)
    planned = process("plan", path, "--json")
    assert planned.returncode == 0, planned.stderr
    assert json.loads(planned.stdout)["rows"]


def test_plan_says_the_same_to_people_and_to_scripts(tmp_path: Path):
    storage = ("--storage", tmp_path)
    told = json.loads(prunetune("plan", QUICK, "--json", *storage).stdout)
    text = prunetune("plan", QUICK, *storage).stdout
    assert f"{told['trials']} trials" in text
    for row in told["rows"]:
        assert row["study"] in text
        assert f"{row['target_macs']:,}" in text
    assert told["seconds"] is None
    assert told["data"][0].startswith("10 classes; ")
    assert f"data digits: {told['data'][0]}" in text


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["plan", "no-such.yaml"], 2, "no-such.yaml"),
        (["plan", QUICK, "--set", "search.trails=3"], 2, "trials"),
        (["plan", QUICK, "--set", "search.trials=none"], 2, "whole number"),
        (["sweep", QUICK, "--set", "budgets=[2]", "--storage", "TMP"], 2, "between 0 and 1"),
        (["status", "nothing", "--storage", "TMP"], 2, "nothing"),
        (["plan", QUICK, "--set", "tolerance=1e-12", "--storage", "TMP"], 2, "a tolerance of 0.0"),
        (["sweep", QUICK, "--storage", ""], 2, "no folder"),
        (["report", "nothing", "--storage", "TMP"], 2, "there is none"),
        (["list", "criterion"], 2, "criteria"),
        (["plan"], 2, "FILE"),
        (["sweep", QUICK, "--storage", "/dev/null/x"], 3, "/dev/null"),
    ],
)
def test_what_a_user_can_mend_is_said_without_a_traceback(words, code, said, tmp_path: Path):
    refused = prunetune(*[tmp_path if word == "TMP" else word for word in words])
    assert_refused(refused, code, said, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["plan"], 2, "FILE"),
        (["plan", "no-such.yaml"], 2, "no-such.yaml"),
        (["sweep", QUICK, "--storage", "/dev/null/x"], 3, "/dev/null"),
        (["sweep", QUICK, "--set", "resources.gpus=64", "--storage", "TMP"], 2, "resources.gpus"),
        (["sweep", QUICK, "--address", "127.0.0.1:1", "--storage", "TMP"], 3, "127.0.0.1:1"),
    ],
)
def test_so_it_is_by_the_real_command(words, code, said, tmp_path: Path, monkeypatch):
    for setting, value in IMPATIENT.items():
        monkeypatch.setenv(setting, value)
    refused = process(*[tmp_path if word == "TMP" else word for word in words])
    assert_refused(refused, code, said, tmp_path)


def assert_refused(
    refused: subprocess.CompletedProcess[str], code: int, said: str, storage: Path
) -> None:
    assert refused.returncode == code, refused.stderr
    assert said in refused.stderr
    assert "Traceback" not in refused.stderr
    assert not list(storage.glob("*/records/*"))


def test_every_error_of_a_file_has_its_line(tmp_path: Path):
    path = tmp_path / "bad.yaml"
    text = QUICK.read_text().replace("resnet14", "resnet13").replace("width_scaling", "width")
    path.write_text(text.replace("  scope:", "  scop:"))
    done = prunetune("plan", path)
    assert done.returncode == 2
    lines = text.splitlines()
    for wrong in ("workload.model", "arms.thin.method", "scop"):
        (told,) = [line for line in done.stderr.splitlines() if f"{wrong}:" in line]
        number = int(told.split("line ")[1].split(":")[0])
        assert any(w in lines[number - 1] for w in ("resnet13", "width", "scope"))
