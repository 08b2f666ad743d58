"""A text stream whose writes return at once and never fail: a thread of its own does the writing.

A terminal that is stopped (Ctrl-S), a pager that waits or a pipe that nobody reads takes no more
text; a program that prints there waits, for days if need be. A sweep must not.
"""

from __future__ import annotations

import io
import os
import threading
import time
from contextlib import suppress

_LONGEST_BACKLOG = 1_000_000
"""Bytes that wait for a reader; what comes on top of them is dropped."""
_AT_ONCE = 4096
"""Bytes of one write, so that a slow reader is known from one that has stalled."""
_AGAIN_S = 0.05
"""Pause before a descriptor that does not block is tried again."""


class BackgroundStream(io.TextIOBase):
    """Prints to a file descriptor.

    Args:
        descriptor: where the text goes; its own buffers must be empty.
        encoding: of the text; characters that it lacks are replaced.
        is_terminal: what `isatty` answers.
    """

    def __init__(self, descriptor: int, encoding: str, is_terminal: bool) -> None:
        self._descriptor, self._encoding, self._is_terminal = descriptor, encoding, is_terminal
        self._changed = threading.Condition()
        self._waiting = b""
        self._dropped = 0
        self._taken = 0
        """Bytes that the thread has taken and not written yet."""
        threading.Thread(target=self._serve, name="printing", daemon=True).start()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The encoding of the text; rich draws tables from its characters."""
        return self._encoding

    @property
    def errors(self) -> str:  # type: ignore[override]
        """What happens to other characters."""
        return "replace"

    def write(self, text: str) -> int:
        """Take the text for the thread; drop it if too much waits already."""
        content = text.encode(self._encoding, "replace")
        with self._changed:
            if self._taken + len(self._waiting) + len(content) > _LONGEST_BACKLOG:
                self._dropped += 1
            else:
                self._waiting += content
            self._changed.notify_all()
        return len(text)

    def flush(self) -> None:
        """Nothing: the thread does not wait for a call."""

    def drain(self, patience_s: float = 2.0) -> None:
        """Wait until all is written, or the reader has taken nothing for `patience_s` seconds."""
        with self._changed:
            while self._waiting or self._dropped or self._taken:
                if not self._changed.wait(patience_s):
                    return

    def fileno(self) -> int:
        """The file descriptor."""
        return self._descriptor

    def isatty(self) -> bool:
        """Whether the stream is a terminal."""
        return self._is_terminal

    def writable(self) -> bool:
        """True."""
        return True

    def _serve(self) -> None:
        """The thread: write all that waits, for ever."""
        while True:
            with self._changed:
                self._taken = 0
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._waiting or self._dropped)
                content, self._waiting = self._waiting, b""
                if self._dropped:
                    note = f"prunetune: nobody read here; left out {self._dropped} texts\n"
                    content, self._dropped = content + note.encode(self._encoding, "replace"), 0
                self._taken = len(content)
            self._write(content)

    def _write(self, content: bytes) -> None:
        """Write the content; what the descriptor refuses (a full disk, no reader) is dropped."""
        with suppress(OSError):
            while content:
                try:
                    content = content[os.write(self._descriptor, content[:_AT_ONCE]) :]
                except BlockingIOError:
                    time.sleep(_AGAIN_S)
                with self._changed:
                    self._taken = len(content)
                    self._changed.notify_all()  # somebody reads
