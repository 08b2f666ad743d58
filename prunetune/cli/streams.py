"""Standard output and standard error that show what they can and never end a verb."""

from __future__ import annotations

import io
import os
import sys
from typing import TextIO


class ForgivingStream(io.TextIOBase):
    """A text stream in place of `stream`: it shows every text, whoever reads it.

    Characters that the encoding lacks are replaced. Once the reader has left (`| head`), the rest
    goes nowhere. The stream has no `buffer`, because typer would write UTF-8 there if the encoding
    is ASCII.
    """

    def __init__(self, stream: TextIO) -> None:
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
        self._stream = stream

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
        except BrokenPipeError:
            self._drop()
            return len(text)

    def flush(self) -> None:
        """Flush, or drop what is left if the reader has left."""
        try:
            self._stream.flush()
        except BrokenPipeError:
            self._drop()

    def fileno(self) -> int:
        """The file descriptor of the stream."""
        return self._stream.fileno()

    def isatty(self) -> bool:
        """Whether the stream is a terminal."""
        return self._stream.isatty()

    def writable(self) -> bool:
        """True."""
        return True

    def _drop(self) -> None:
        """Lead the descriptor, and what is buffered for it, to nowhere."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.fileno())
        os.close(nowhere)


def forgive_streams() -> None:
    """Let this process print through forgiving streams; one that is closed (`>&-`) is nowhere."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name) or open(os.devnull, "w")  # noqa: SIM115  (it stays open)
        setattr(sys, name, ForgivingStream(stream))
