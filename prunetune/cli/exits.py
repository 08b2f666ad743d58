"""Exit codes, and which end of a command earns which: no traceback for what a user can mend."""

from __future__ import annotations

import sys
from collections.abc import Callable

DONE, FAILED_TRIALS, SURROUNDINGS, INTERRUPTED = 0, 1, 3, 130


class Exit(Exception):  # noqa: N818 - the end of a command, not an error
    """Leave with this code, after what the verb has printed itself."""

    def __init__(self, exit_code: int, message: str = "") -> None:
        self.exit_code = exit_code
        super().__init__(message)


def guarded(command: Callable[[], object]) -> int:
    """The exit code of `command`; what a user can mend is said in words on stderr.

    Errors that are the user's to mend bear an `exit_code`; OSError is how this package and the
    system say that the surroundings failed. Anything else is a defect, and keeps its traceback.
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
    if text := str(end):
        print(f"prunetune: {text}", file=sys.stderr)
    return code
