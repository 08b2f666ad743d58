"""The tables in prunetune/compress/README.md are what the command line prints."""

from __future__ import annotations

import re
from pathlib import Path

from tests.cli.command import prunetune

README = Path(__file__).parents[2] / "prunetune" / "compress" / "README.md"
TABLE = re.compile(r"<!-- prunetune (list \w+ --markdown) -->\n(.*?)<!-- end -->", re.DOTALL)


def printed(words: str) -> str:
    command = prunetune(*words.split())
    assert command.returncode == 0, command.stderr
    return command.stdout


def written_anew(text: str) -> str:
    return TABLE.sub(
        lambda found: f"<!-- prunetune {found[1]} -->\n{printed(found[1])}<!-- end -->", text
    )


def test_the_tables_are_those_that_the_command_line_prints() -> None:
    text = README.read_text(encoding="utf-8")
    assert len(TABLE.findall(text)) == 2
    assert text == written_anew(text), "run: python -m tests.cli.test_readme"


if __name__ == "__main__":
    README.write_text(written_anew(README.read_text(encoding="utf-8")), encoding="utf-8")
