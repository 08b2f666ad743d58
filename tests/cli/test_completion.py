"""Completion in a shell: the script of each shell, and what it offers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from prunetune.config.file.shipped import shipped_sweeps
from tests.cli.command import prunetune

PARTS = "arms.pruned.method.channel_pruning.criterion="


def run(**environment: str) -> str:
    """What the command prints to a shell that asks it by these variables."""
    command = [sys.executable, "-m", "prunetune.cli"]
    done = subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    return done.stdout


def offered(*words: object) -> list[str]:
    """What bash is offered for the last word."""
    line = " ".join(["prunetune", *map(str, words)])
    place = {"COMP_WORDS": line, "COMP_CWORD": str(len(words))}
    return run(_PRUNETUNE_COMPLETE="complete_bash", **place).split()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_every_shell_is_printed(shell: str, tmp_path: Path) -> None:
    script = run(_PRUNETUNE_COMPLETE=f"source_{shell}")
    assert f"_PRUNETUNE_COMPLETE=complete_{shell}" in script
    if interpreter := shutil.which(shell):
        file = tmp_path / "completion"
        file.write_text(script)
        subprocess.run([interpreter, "-n", file], check=True)


def test_names_are_offered(tmp_path: Path) -> None:
    (tmp_path / "mine" / "records").mkdir(parents=True)
    (tmp_path / "mine" / "plan.json").write_text("{}")
    assert offered("sweep", "") != []
    assert set(shipped_sweeps()) <= set(offered("plan", ""))
    assert offered("status", "--storage", tmp_path, "m") == ["mine"]
    assert offered("list", "cri") == ["criteria"]
    (tmp_path / "mine" / "records" / "00ff00ff00ff00ff.json").touch()
    assert offered("show", "--storage", tmp_path, "00f") == ["00ff00ff00ff00ff"]
    assert offered("bench", "--storage", tmp_path, "") == ["mine", "00ff00ff00ff00ff"]


def test_settings_are_offered_with_arms_and_criteria() -> None:
    assert offered("plan", "quickstart", "--set", "search.tri") == ["search.trials="]
    criteria = {part["name"] for part in json.loads(prunetune("list", "criteria", "--json").stdout)}
    settings = offered("plan", "quickstart", "--set", PARTS.removesuffix("="))
    names = {each.removeprefix(PARTS) for each in settings if each.startswith(PARTS)}
    assert names == criteria


def test_an_error_offers_nothing(tmp_path: Path) -> None:
    assert offered("status", "--storage", "/dev/null/x", "m") == []
