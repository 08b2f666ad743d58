"""What verbs print reaches every reader: other encodings, closed pipes, closed streams."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import BaseModel

from prunetune.cli.json_text import print_json
from prunetune.cli.streams import ForgivingStream

COMMAND = (sys.executable, "-m", "prunetune.cli")


def ascii_stream() -> tuple[ForgivingStream, io.BytesIO]:
    shown = io.BytesIO()
    return ForgivingStream(io.TextIOWrapper(shown, "ascii", write_through=True)), shown


def test_characters_that_an_encoding_lacks_are_replaced() -> None:
    stream, shown = ascii_stream()
    print("Käse … 5 ≤ 6", "\udcff", file=stream)
    assert shown.getvalue() == b"K?se ? 5 ? 6 ?\n"


def test_tables_are_drawn_with_the_characters_of_the_encoding() -> None:
    from rich.console import Console
    from rich.table import Table

    stream, shown = ascii_stream()
    table = Table("größe")
    table.add_row("≥ 5")
    Console(file=stream, width=40).print(table)
    assert b"gr??e" in shown.getvalue()
    assert b"---" in shown.getvalue()


def test_a_reader_that_has_left_ends_nothing() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w", buffering=1) as pipe:
        stream = ForgivingStream(pipe)
        for _ in range(3):
            print("x" * 100_000, file=stream)
        stream.flush()


def test_json_keeps_every_character_in_ascii(capsys: pytest.CaptureFixture[str]) -> None:
    class Facts(BaseModel):
        question: str = "größer?"
        seconds: float = 0.1

    print_json(Facts())
    printed = capsys.readouterr().out
    assert printed.isascii()
    assert json.loads(printed) == {"question": "größer?", "seconds": 0.1}


def run(words: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*COMMAND, *words.split()],
        env={**os.environ, **environment},
        capture_output=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize(
    ("words", "code"), [("--help", 0), ("sweep --help", 0), ("schema", 0), ("status käse", 2)]
)
def test_an_ascii_terminal_gets_ascii(words: str, code: int, tmp_path: Path) -> None:
    done = run(words, PYTHONIOENCODING="ascii", PRUNETUNE_DATA=str(tmp_path))
    assert done.returncode == code, done.stderr
    assert (done.stdout + done.stderr).isascii()
    assert done.stdout or b"no sweep 'k?se'" in done.stderr or b"k??se" in done.stderr
    assert b"Traceback" not in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("words", ["list criteria", "plan quickstart", "list methods --json"])
def test_so_do_tables_and_lists(words: str) -> None:
    done = run(words, PYTHONIOENCODING="ascii")
    assert done.returncode == 0, done.stderr
    assert done.stdout.isascii()


@pytest.mark.parametrize(
    "words", ["schema", "--help", pytest.param("list criteria", marks=pytest.mark.slow)]
)
def test_a_closed_pipe_ends_a_verb_quietly(words: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as pipe:
        done = subprocess.run(
            [*COMMAND, *words.split()], stdout=pipe, stderr=subprocess.PIPE, check=False
        )
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_closed_standard_output_is_nowhere() -> None:
    command = f"{sys.executable} -m prunetune.cli schema >&-"
    done = subprocess.run(["sh", "-c", command], stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_an_answer_that_cannot_be_written_is_an_error_in_words() -> None:
    command = f"{sys.executable} -m prunetune.cli schema >/dev/full"
    done = subprocess.run(["sh", "-c", command], stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (3, "prunetune: [Errno 28] No space left on device\n")


def test_words_that_cannot_be_written_change_no_exit_code() -> None:
    command = f"{sys.executable} -m prunetune.cli status nothing >/dev/full 2>&1"
    assert subprocess.run(["sh", "-c", command], check=False).returncode == 2
