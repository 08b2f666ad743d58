"""A trial that hangs ends its worker; a slow one does not."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from prunetune.records.files import StoredFile
from prunetune.tune.watchdog import Patience, Watchdog

PATIENCE = "Patience(first_s=1.5, least_s=1.5, epochs=3, grace_s=0.5)"


def run(program: str, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """A process whose watchdog is `dog`, and how it ended."""
    preamble = f"""
    import ctypes, sys, time
    from pathlib import Path
    from prunetune.records.files import StoredFile
    from prunetune.tune.watchdog import Patience, Watchdog
    dog = Watchdog(StoredFile(Path(sys.argv[1])), {PATIENCE})
    """
    text = textwrap.dedent(preamble) + textwrap.dedent(program)
    command = [sys.executable, "-c", text, str(tmp_path / "hang.txt")]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_a_hang_ends_the_process_and_says_where(tmp_path: Path) -> None:
    ended = run("with dog.watching():\n    time.sleep(100)", tmp_path)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    text = (tmp_path / "hang.txt").read_text()
    first, *stack = text.splitlines()
    assert first == "the trial hung: no sign of life for 2 s"
    assert any('File "<string>"' in line for line in stack)


def test_a_hang_that_holds_pythons_lock_ends_the_process_too(tmp_path: Path) -> None:
    start = time.monotonic()
    ended = run("with dog.watching():\n    ctypes.PyDLL(None).sleep(100)", tmp_path)
    assert ended.returncode == 1, ended.stderr
    assert time.monotonic() - start < 50


@pytest.mark.slow
def test_beats_pauses_and_pauses_between_epochs_keep_it_quiet(tmp_path: Path) -> None:
    program = """
    with dog.watching():
        for _ in range(25):
            time.sleep(0.1)
            dog.beat()
        with dog.paused():
            time.sleep(2.5)
    time.sleep(2.5)
    dog.close()
    print("alive")
    """
    ended = run(program, tmp_path)
    assert (ended.returncode, ended.stdout) == (0, "alive\n"), ended.stderr


def test_patience_follows_the_longest_epoch_so_far(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    dog = Watchdog(StoredFile(tmp_path / "hang.txt"), Patience(first_s=1000.0))
    allowed = []
    for seconds in (5.0, 20.0, 60.0, 1.0):
        allowed.append(dog.allowance_s)
        with dog.watching():
            now += seconds
    dog.close()
    assert allowed == [1000.0, 1000.0, 300.0, 600.0]
    assert not (tmp_path / "hang.txt").exists()
