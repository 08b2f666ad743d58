"""Exit codes of the commands, and errors without a traceback where the user can mend them."""

from __future__ import annotations

import atexit
import logging
import os
import sys
from collections.abc import Callable
from contextlib import suppress

from prunetune.messages import without_passwords

DONE, FAILED_TRIALS, FAILED_AUDIT, SURROUNDINGS, INTERRUPTED = 0, 1, 1, 3, 130


class Exit(Exception):  # noqa: N818 - the end of a command, not an error
    """Ends the command with this exit code and, if any, a message on stderr."""

    def __init__(self, exit_code: int, message: str = "") -> None:
        self.exit_code = exit_code
        super().__init__(message)


class Leaving:
    """Ends this process with `code` after everything that was registered later to run at exit.

    Python would then take millions of objects apart one by one, for up to two seconds; and triton,
    where something has imported it, would complain of every one that is left.
    """

    def __init__(self) -> None:
        self.code = FAILED_TRIALS  # a defect, of which Python prints the traceback
        atexit.register(self._leave)

    def _leave(self) -> None:
        logging.shutdown()
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os._exit(self.code)


def guarded(command: Callable[[], object]) -> int:
    """Run `command` and return its exit code; print an error that the user can mend on stderr.

    Such errors have an `exit_code`; an OSError without one means that storage, network or cluster
    failed. Any other exception is a defect and is raised with its traceback.
    """
    try:
        command()
    except SystemExit as end:  # typer's own: help, a wrong option
        return end.code if isinstance(end.code, int) else DONE
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:
        code = getattr(error, "exit_code", SURROUNDINGS if isinstance(error, OSError) else None)
        if code is None:
            raise
        return _say(error, code)
    return DONE


def _say(end: BaseException, code: int) -> int:
    with suppress(OSError):  # no words are no reason for another exit code
        if text := str(end):
            print(f"prunetune: {without_passwords(text)}", file=sys.stderr)
    return code
