"""Whoever prints in the background is stopped by no reader."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
import time

import pytest

from prunetune.cli.background import BackgroundStream
from prunetune.cli.streams import ForgivingStream, printing_in_background


def test_all_texts_arrive_in_order() -> None:
    reading, writing = os.pipe()
    stream = BackgroundStream(writing, "ascii", is_terminal=False)
    for number in range(100):
        print(number, "größe", file=stream)
    stream.drain()
    expected = "".join(f"{number} gr??e\n" for number in range(100))
    assert os.read(reading, 65536).decode() == expected


def test_a_reader_that_stalls_holds_nobody_up_and_is_told_what_it_missed() -> None:
    reading, writing = os.pipe()
    stream = BackgroundStream(writing, "utf-8", is_terminal=False)
    before = time.monotonic()
    for _ in range(300):
        print("x" * 9_999, file=stream)
    stream.drain(0.2)
    assert time.monotonic() - before < 5
    text = b""
    while b"left out" not in text:
        text += os.read(reading, 1_000_000)
    assert 900_000 < text.count(b"x") < 1_200_000


@pytest.mark.parametrize("gone", ["reader", "terminal", "space"])
def test_a_descriptor_that_takes_nothing_is_forgiven(gone: str) -> None:
    if gone == "space":
        writing = os.open("/dev/full", os.O_WRONLY)
    else:
        reading, writing = os.pipe() if gone == "reader" else pty.openpty()
        os.close(reading)
    stream = BackgroundStream(writing, "utf-8", is_terminal=False)
    for _ in range(3):
        print("x" * 10_000, file=stream)
        stream.drain()


def test_a_descriptor_that_does_not_block_gets_everything() -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    stream = BackgroundStream(writing, "utf-8", is_terminal=False)
    print("x" * 200_000, file=stream)
    taken = 0
    while taken < 200_001:
        taken += len(os.read(reading, 65536))


def test_streams_of_others_stay_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    before = sys.stdout
    with printing_in_background():
        assert sys.stdout is before


STALLED = """
import sys
from prunetune.cli.streams import forgive_streams, printing_in_background
forgive_streams()
with printing_in_background():
    for _ in range(100):
        print("x" * 10_000)
print("at work", file=sys.stderr)
"""


def test_a_process_ends_though_nobody_reads() -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as pipe:
        done = subprocess.run(
            [sys.executable, "-c", STALLED], stdout=pipe, stderr=subprocess.PIPE, timeout=60
        )
    os.close(reading)
    assert (done.returncode, done.stderr) == (0, b"at work\n")


def test_a_full_disk_is_forgiven_on_standard_error_alone() -> None:
    for forgives_all in (True, False):
        with open("/dev/full", "w") as full:
            stream = ForgivingStream(full, forgives_all=forgives_all)
            if forgives_all:
                print("x" * 10_000, file=stream)
            else:
                with pytest.raises(OSError, match="No space left"):
                    print("x" * 10_000, file=stream)
            stream.flush()
            assert isinstance(stream, io.TextIOBase)
