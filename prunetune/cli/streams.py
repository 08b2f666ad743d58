"""Standard output and standard error that show what they can and never end a verb."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from prunetune.cli.background import BackgroundStream


class ForgivingStream(io.TextIOBase):
    """A text stream in place of `stream`: it shows every text, whoever reads it.

    Characters that the encoding lacks are replaced. Once the reader has left (`| head`, a terminal
    that was closed), the rest goes nowhere. The stream has no `buffer`, because typer would write
    UTF-8 there if the encoding is ASCII.

    Args:
        stream: the stream that this one stands for.
        forgives_all: whether a text is dropped for any other reason, too, such as a full disk.
    """

    def __init__(self, stream: TextIO, *, forgives_all: bool = False) -> None:
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
        self._stream = stream
        self._forgives_all = forgives_all

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The encoding of the stream; rich draws tables from its characters."""
        return self._stream.encoding

    @property
    def errors(self) -> str | None:  # type: ignore[override]
        """What happens to other characters."""
        return self._stream.errors

    def write(self, text: str) -> int:
        """Write the text, or drop it if the reader has left."""
        try:
            return self._stream.write(text)
        except OSError as error:
            self._forgive(error)
            return len(text)

    def flush(self) -> None:
        """Flush, or drop what is left if the reader has left."""
        try:
            self._stream.flush()
        except OSError as error:
            self._forgive(error)

    def fileno(self) -> int:
        """The file descriptor of the stream."""
        return self._stream.fileno()

    def isatty(self) -> bool:
        """Whether the stream is a terminal."""
        return self._stream.isatty()

    def writable(self) -> bool:
        """True."""
        return True

    def _forgive(self, error: OSError) -> None:
        """Lead the descriptor, and what is buffered for it, to nowhere.

        Raises:
            OSError: the error itself if the user must hear of it.
        """
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.fileno())
        os.close(nowhere)
        if not self._forgives_all and error.errno not in (errno.EPIPE, errno.EIO):
            raise error


def forgive_streams() -> None:
    """Let this process print through forgiving streams; one that is closed (`>&-`) is nowhere."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name) or open(os.devnull, "w")  # noqa: SIM115  (it stays open)
        setattr(sys, name, ForgivingStream(stream, forgives_all=name == "stderr"))


@contextmanager
def printing_in_background() -> Iterator[None]:
    """Let nothing that is printed in the block make anybody wait, or end anything.

    It takes the place of forgiving streams alone. A reader that stalls (Ctrl-S on a terminal, a
    pager) misses lines instead of holding the work up.
    """
    before = {
        name: stream
        for name in ("stdout", "stderr")
        if isinstance(stream := getattr(sys, name), ForgivingStream)
    }
    printing = []
    for name, stream in before.items():
        stream.flush()
        printing.append(BackgroundStream(stream.fileno(), stream.encoding, stream.isatty()))
        setattr(sys, name, printing[-1])
    try:
        yield
    finally:
        for name, stream in before.items():
            setattr(sys, name, stream)
        for background in printing:
            background.drain()
