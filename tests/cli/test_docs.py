"""The documents: links lead somewhere, commands run, and the sweep files in them are sound."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.main import get_command

from prunetune.cli.app import app
from prunetune.config.file.parse import parse_tree
from prunetune.config.file.yaml import read
from prunetune.config.problems.errors import Problems
from tests.cli.command import prunetune
from tests.test_files import files

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(path.relative_to(ROOT) for path in files() if path.suffix == ".md")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
COMMAND = re.compile(r"^ {4}(prunetune [a-z][^\n]*)$", re.MULTILINE)
YAML = re.compile(r"```yaml\n(.*?)```", re.DOTALL)
PLACEHOLDER = re.compile(r"[A-Z]{4,}|/shared/|s3://")
ELSEWHERE = ("sweep", "ui", "bench")
"""Verbs that other tests run, on smaller sweeps."""


def commands() -> Iterator[str]:
    """Every command of ours in a code block, without its comment."""
    for document in DOCUMENTS:
        for line in COMMAND.findall((ROOT / document).read_text(encoding="utf-8")):
            yield shlex.join(shlex.split(line.partition(" #")[0]))


SHOWN = sorted(set(commands()))


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_links_lead_to_files_and_headings(document: Path) -> None:
    for link in LINK.findall((ROOT / document).read_text(encoding="utf-8")):
        if link.startswith(("http://", "https://", "mailto:")):
            continue
        target, _, heading = link.partition("#")
        file = ROOT / document.parent / target if target else ROOT / document
        assert file.exists(), f"{document}: {link}"
        if heading:
            lines = file.read_text(encoding="utf-8").splitlines()
            headings = {_anchor(line) for line in lines if line.startswith("#")}
            assert heading in headings, f"{document}: {link}"


@pytest.mark.parametrize("command", SHOWN)
def test_commands_use_verbs_and_options_that_are_there(command: str) -> None:
    _, verb, *words = shlex.split(command)
    known = get_command(app).commands  # type: ignore[attr-defined]
    assert verb in known
    options = {name for parameter in known[verb].params for name in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= options


@pytest.mark.parametrize("command", SHOWN)
def test_commands_run(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, storages: Path
) -> None:
    words = shlex.split(command)[1:]
    if words[0] in ELSEWHERE or PLACEHOLDER.search(command):
        pytest.skip("needs a cluster, or is run by other tests")
    shutil.copytree(storages, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    done = prunetune(*words)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout


@pytest.fixture(scope="module")
def storages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folders that the documents speak of: `experiments`, and `runs` of the quick start."""
    folder = tmp_path_factory.mktemp("storages")
    source = ROOT / "experiments" / "2026-11-29-quickstart"
    for copy in (folder / "experiments" / source.name, folder / "runs" / "quickstart"):
        shutil.copytree(source, copy)
    return folder


def test_pieces_of_sweep_files_make_sound_sweep_files(tmp_path: Path) -> None:
    text = (ROOT / "sweeps" / "README.md").read_text(encoding="utf-8")
    first, *pieces = YAML.findall(text.partition("## Reference")[0])
    assert len(pieces) >= 2
    for piece in ("", *pieces):
        file, problems = tmp_path / "sweep.yaml", Problems()
        file.write_text(first + piece, encoding="utf-8")
        parse_tree(read(file)[0], problems)
        problems.check("sweeps/README.md")


def test_every_shipped_sweep_and_every_experiment_is_listed() -> None:
    for folder, pattern in (("sweeps", "*.yaml"), ("experiments", "20*")):
        listed = set(LINK.findall((ROOT / folder / "README.md").read_text(encoding="utf-8")))
        there = {path.name for path in (ROOT / folder).glob(pattern)}
        assert there
        assert there <= listed


def _anchor(heading: str) -> str:
    """The name that GitHub gives to a heading."""
    words = re.sub(r"[^\w\- ]", "", heading.lstrip("#").strip().lower())
    return words.replace(" ", "-")
