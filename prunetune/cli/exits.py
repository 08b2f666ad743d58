"""Exit codes, and which end of a command earns which: no traceback for what a user can mend."""

from __future__ import annotations

import sys
from collections.abc import Callable

DONE, FAILED_TRIALS, BAD_INPUT, SURROUNDINGS, INTERRUPTED, TERMINATED = 0, 1, 2, 3, 130, 143


class Exit(Exception):  # noqa: N818 - the end of a command, not an error
    """Leave with this code, after what the verb has printed itself."""

    def __init__(self, code: int, message: str = "") -> None:
        self.code = code
        super().__init__(message)


def guarded(command: Callable[[], object]) -> int:
    """The exit code of `command`; what a user can mend is said in words on stderr.

    ValueError and LookupError are how this package says that an input is bad; OSError is how it and
    the system say that the surroundings failed. Anything else is a defect, and keeps its traceback.
    """
    try:
        command()
    except Exit as end:
        return _say(end, end.code)
    except SystemExit as end:  # typer's own: help, a wrong option
        return end.code if isinstance(end.code, int) else DONE
    except KeyboardInterrupt:
        return INTERRUPTED
    except (ValueError, LookupError) as error:
        return _say(error, BAD_INPUT)
    except OSError as error:
        return _say(error, SURROUNDINGS)
    return DONE


def _say(end: BaseException, code: int) -> int:
    text = str(end.args[0]) if isinstance(end, KeyError) and end.args else str(end)
    if text:
        print(f"prunetune: {text}", file=sys.stderr)
    return code
