"""What prunetune says while it works: on the console, and in a file beside the results.

Every module speaks through `logging.getLogger(__name__)`: news at level INFO, and what the user
should look at, WARNING. These loggers end in the channel `prunetune`, which has a level and outlets
of its own, because libraries change the root logger: importing `mlflow.pytorch` sets it to ERROR,
and every warning of ours would be swallowed there.
"""

from __future__ import annotations

import logging
import os
import re
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

CHANNEL = logging.getLogger("prunetune")
Say = Callable[[int, str], None]
"""Takes one message: its level, as in `logging`, and its text."""
_USER = re.compile(r"(?<=://)[^/\s]*@")
SECRET_PARAMETER = re.compile(
    r"(?P<before>[?&](?P<name>\w*(?:passw|pwd|secret|token)\w*)=)[^&#\s'\"]*", re.IGNORECASE
)
"""A parameter of an address that holds a password or a token, by its name."""


def without_passwords(text: str) -> str:
    """The text, with no user, password or token in any address: `scheme://host/path`."""
    return SECRET_PARAMETER.sub(r"\g<before>…", _USER.sub("", text))


@contextmanager
def on_console() -> Iterator[None]:
    """Show messages on standard error for the block; nested blocks show each message once."""
    if any(isinstance(handler, _ConsoleOutlet) for handler in CHANNEL.handlers):
        yield
        return
    with _attached(_ConsoleOutlet(), CHANNEL):
        yield


@contextmanager
def kept_in(path: Path, about: str) -> Iterator[None]:
    """Add messages to the file at `path` for the block, with its start, its end and tracebacks.

    Warnings of libraries go to the file too, and to no console. The folder must exist. A file that
    cannot be written loses messages, and stops nobody.
    """
    outlet = _FileOutlet(path)
    with _attached(outlet, CHANNEL), _attached(_Foreign(outlet), logging.getLogger(), level=None):
        outlet.note(f"{about}: process {os.getpid()} on {socket.gethostname()} begins")
        try:
            yield
        except BaseException as error:
            reason = f"{type(error).__name__}: {error}".rstrip(": ")
            outlet.note(f"{about}: process {os.getpid()} ends: {reason}")
            raise
        outlet.note(f"{about}: process {os.getpid()} ends")


@contextmanager
def passed_to(say: Say) -> Iterator[None]:
    """Give messages to `say` for the block, which hands them to another process for `repeat`."""
    with _attached(_Passing(say), CHANNEL):
        yield


def repeat(level: int, text: str, speaker: str = "") -> None:
    """Say in this process what another one said; `speaker` tells the user who that was."""
    CHANNEL.log(level, "%s", f"{speaker}: {text}" if speaker else text)


@contextmanager
def _attached(
    outlet: logging.Handler, logger: logging.Logger, level: int | None = logging.INFO
) -> Iterator[None]:
    """Lead the logger's messages to `outlet` and, if it is given a level, nowhere above."""
    before = (logger.level, logger.propagate)
    logger.addHandler(outlet)
    if level is not None:
        logger.setLevel(level)
        logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(outlet)
        logger.setLevel(before[0])
        logger.propagate = before[1]


def _in_one_line(record: logging.LogRecord) -> str:
    """The message, with the class and the first line of the exception that it is about."""
    text = record.getMessage()
    if record.exc_info and record.exc_info[1]:
        error = record.exc_info[1]
        first = str(error).strip().partition("\n")[0]
        text += f" ({type(error).__name__}: {first})" if first else f" ({type(error).__name__})"
    return without_passwords(text)


class _ConsoleOutlet(logging.Handler):
    """Prints to the standard error of the moment; a live table may have taken its place."""

    def emit(self, record: logging.LogRecord) -> None:
        mark = "warning: " if record.levelno == logging.WARNING else ""
        # rich raises SystemExit where standard error leads through it to a closed pipe
        with suppress(Exception, SystemExit):
            print(f"prunetune: {mark}{_in_one_line(record)}", file=sys.stderr, flush=True)


class _FileOutlet(logging.Handler):
    """Adds lines to a file that it opens anew for each: a storage that moved is not made again."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self._formatter = logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
        self._formatter.converter = time.gmtime
        self._formatter.default_time_format = "%Y-%m-%dT%H:%M:%S"
        self._formatter.default_msec_format = "%s.%03dZ"

    def emit(self, record: logging.LogRecord) -> None:
        with suppress(Exception), self._path.open("a", encoding="utf-8", errors="replace") as file:
            file.write(without_passwords(self._formatter.format(record)) + "\n")

    def note(self, text: str) -> None:
        """Add a line of the channel's own."""
        record = CHANNEL.makeRecord(CHANNEL.name, logging.INFO, "", 0, text, (), None)
        self.handle(record)


class _Foreign(logging.Handler):
    """Leads warnings of libraries to the file; they reach the root logger, where it hangs.

    Its presence there also keeps libraries that call `logging.basicConfig` from changing anything.
    """

    def __init__(self, outlet: _FileOutlet) -> None:
        super().__init__(logging.WARNING)
        self._outlet = outlet

    def emit(self, record: logging.LogRecord) -> None:
        self._outlet.handle(record)


class _Passing(logging.Handler):
    """Gives each message to a function."""

    def __init__(self, say: Say) -> None:
        super().__init__()
        self._say = say

    def emit(self, record: logging.LogRecord) -> None:
        with suppress(Exception):
            self._say(record.levelno, _in_one_line(record))
