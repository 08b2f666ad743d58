"""The page for clusters: its links lead to files, and its commands have the options they name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[2] / "experiments" / "cluster"
PAGE = (FOLDER / "README.md").read_text(encoding="utf-8").replace("\\\n", " ")
COMMANDS = re.findall(r"^    (?:RAY_AUTH_MODE=token )?(\w+ .*?)(?:  +#.*)?$", PAGE, re.MULTILINE)


def prunetune() -> Any:
    from typer.main import get_command

    from prunetune.cli.app import app

    return get_command(app)


def ray() -> Any:
    from ray.scripts.scripts import cli

    return cli


def words_after(program: str) -> list[list[str]]:
    """What follows the name of a program, in every command of the page."""
    return [
        found[1].split() for line in COMMANDS if (found := re.search(rf"\b{program} (.*)", line))
    ]


def unknown_options(group: Any, words: list[str]) -> set[str]:
    """The options among `words` that the command they name does not have."""
    command = group
    while (subcommands := getattr(command, "commands", None)) is not None:
        command = subcommands[words.pop(0)]
    words = words[: words.index("--")] if "--" in words else words
    named = {word.partition("=")[0] for word in words if word.startswith("--")}
    return named - {option for parameter in command.params for option in parameter.opts}


def test_links_lead_to_files() -> None:
    links = re.findall(r"\]\(([^)]+)\)", PAGE)
    assert {path.name for path in FOLDER.glob("*.yaml")} <= set(links)
    assert [link for link in links if not (FOLDER / link).is_file()] == []


@pytest.mark.parametrize(("program", "group"), [("prunetune", prunetune), ("ray", ray)])
def test_commands_have_the_options_that_they_name(program: str, group: Any) -> None:
    lines = [[program, *line] for line in words_after(program) if line[0] in group().commands]
    assert len(lines) >= 2
    assert [line for line in lines if unknown_options(group(), line[1:])] == []
