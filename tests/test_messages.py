"""What prunetune says is heard, whatever libraries do to logging and whoever reads."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import pytest

from prunetune.messages import kept_in, on_console, passed_to, repeat, without_passwords

LOG = logging.getLogger("prunetune.somewhere")
FOREIGN = logging.getLogger("library")


def test_messages_are_on_the_console_and_in_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with on_console(), on_console(), kept_in(tmp_path / "said", "sweep x"):
        LOG.info("Ray is starting")
        LOG.warning("the server %s is away", "postgresql://me:secret@db/mlflow")
        LOG.debug("a detail")
    assert capsys.readouterr().err.splitlines() == [
        "prunetune: Ray is starting",
        "prunetune: warning: the server postgresql://db/mlflow is away",
    ]
    kept = (tmp_path / "said").read_text().splitlines()
    assert [line.partition(": ")[2] for line in kept[1:3]] == [
        "Ray is starting",
        "the server postgresql://db/mlflow is away",
    ]
    assert "begins" in kept[0]
    assert "ends" in kept[-1]
    assert len(kept) == 4


def test_a_traceback_is_in_the_file_and_one_line_on_the_console(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with on_console(), kept_in(tmp_path / "said", "sweep x"):
        try:
            raise ValueError("first\nsecond")
        except ValueError:
            LOG.warning("it failed", exc_info=True)
    assert capsys.readouterr().err == "prunetune: warning: it failed (ValueError: first)\n"
    assert "Traceback" in (tmp_path / "said").read_text()


def test_the_file_says_how_a_run_ended(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="away"), kept_in(tmp_path / "said", "sweep x"):
        raise OSError("the storage is away")
    assert (tmp_path / "said").read_text().endswith("ends: OSError: the storage is away\n")


LIBRARY = """
import logging
from pathlib import Path
from prunetune.messages import kept_in, on_console
with on_console(), kept_in(Path("said"), "sweep x"):
    import {module}
    logging.getLogger("prunetune.tracking").warning("MLflow is away")
    logging.getLogger("library").warning("chatter")
    logging.getLogger("library").debug("gossip")
"""


@pytest.mark.slow
def test_mlflow_cannot_silence_us_and_libraries_stay_off_the_console(tmp_path: Path) -> None:
    """Importing `mlflow.pytorch` calls `logging.basicConfig(level=ERROR)`."""
    code = LIBRARY.format(module="mlflow.pytorch")
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stderr == "prunetune: warning: MLflow is away\n"
    kept = (tmp_path / "said").read_text()
    assert "MLflow is away" in kept
    assert "WARNING library: chatter" in kept
    assert "gossip" not in kept


def test_nobody_is_stopped_by_words_that_cannot_be_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Gone:
        def write(self, text: str) -> int:
            raise SystemExit(1)  # as rich does in its place

    monkeypatch.setattr(sys, "stderr", Gone())
    folder = tmp_path / "moved away"
    with on_console(), kept_in(folder / "said", "sweep x"):
        LOG.warning("nobody hears this")
    assert not folder.exists(), "a storage that is gone is not made anew"


def test_another_process_speaks_here(capsys: pytest.CaptureFixture[str]) -> None:
    said: list[tuple[int, str]] = []
    with passed_to(lambda level, text: said.append((level, text))):
        LOG.warning("checkpoint %s is cut short", "a")
    with on_console():
        for level, text in said:
            repeat(level, text, "trial 1a2b")
    expected = "prunetune: warning: trial 1a2b: checkpoint a is cut short\n"
    assert capsys.readouterr().err == expected


def test_the_channel_leaves_logging_as_it_was(tmp_path: Path) -> None:
    def state() -> list[tuple[object, ...]]:
        loggers = (logging.getLogger(), logging.getLogger("prunetune"))
        return [(tuple(each.handlers), each.level, each.propagate) for each in loggers]

    before = state()
    with on_console(), kept_in(tmp_path / "said", "x"), passed_to(lambda level, text: None):
        assert state() != before
    assert state() == before


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("at postgresql://me:p@ss@db/mlflow: no", "at postgresql://db/mlflow: no"),
        ("http://token@h:1/x and s3://k:s@b", "http://h:1/x and s3://b"),
        ("sqlite:////data/a@b/mlflow.db", "sqlite:////data/a@b/mlflow.db"),
        ("s3://b/x?secret_key=k&scheme=http", "s3://b/x?secret_key=…&scheme=http"),
        ("write to me@example.org", "write to me@example.org"),
    ],
)
def test_users_and_passwords_are_left_out_of_addresses(text: str, shown: str) -> None:
    assert without_passwords(text) == shown
