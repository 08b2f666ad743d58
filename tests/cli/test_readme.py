"""What the READMEs show of the command line is what it prints."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.cli.command import prunetune

ROOT = Path(__file__).parents[2]
FILES = {"prunetune/compress/README.md": 2, "sweeps/README.md": 1}
"""The files with printed blocks, and how many blocks each has."""
BLOCK = re.compile(r"<!-- prunetune (\w[\w -]*) -->\n(.*?)<!-- end -->", re.DOTALL)


def printed(words: str) -> str:
    command = prunetune(*words.split())
    assert command.returncode == 0, command.stderr
    table = words.endswith("--markdown")
    return command.stdout if table else f"```yaml\n{command.stdout.strip()}\n```\n"


def written_anew(text: str) -> str:
    return BLOCK.sub(
        lambda found: f"<!-- prunetune {found[1]} -->\n{printed(found[1])}<!-- end -->", text
    )


@pytest.mark.parametrize("file", FILES)
def test_the_blocks_are_what_the_command_line_prints(file: str) -> None:
    text = (ROOT / file).read_text(encoding="utf-8")
    assert len(BLOCK.findall(text)) == FILES[file]
    assert text == written_anew(text), "run: python -m tests.cli.test_readme"


if __name__ == "__main__":
    for file in FILES:
        path = ROOT / file
        path.write_text(written_anew(path.read_text(encoding="utf-8")), encoding="utf-8")
