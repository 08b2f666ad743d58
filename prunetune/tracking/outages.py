"""Says in words that MLflow is away, that it is back, and what it has not heard."""

from __future__ import annotations

import logging
import sqlite3
from collections import Counter
from collections.abc import Collection, Iterator, Sequence

from prunetune.messages import without_passwords
from prunetune.tracking.updates import Update

REFUSALS = frozenset({"INVALID_PARAMETER_VALUE", "BAD_REQUEST", "RESOURCE_ALREADY_EXISTS"})
"""MLflow's error codes for a request that no repetition would mend."""
_DATABASES = ("psycopg", "pymysql", "MySQLdb", "pyodbc")
"""Modules whose errors say why a database is away."""
_DAMAGED = ("file is not a database", "database disk image is malformed")
"""SQLite's words for a file that is none of its own, or was damaged."""

_log = logging.getLogger(__name__)


class Outages:
    """Tells the user once that MLflow is away, and once that it is back."""

    def __init__(self, uri: str, sweep: str) -> None:
        self._name = f"MLflow at {without_passwords(uri)}"
        self._is_server = uri.startswith(("http://", "https://"))
        self._sweep = sweep
        self._away = False

    def begin(self, error: Exception) -> None:
        """MLflow could not be reached; only the first call of an outage speaks."""
        level = logging.DEBUG if self._away else logging.WARNING
        self._away = True
        fails = "does not answer" if self._is_server else "cannot be used now"
        why = reason(error)
        words = f"the sweep goes on, and MLflow is told later{cure(why)}"
        _log.log(level, "%s %s (%s); %s", self._name, fails, why, words)

    def end(self) -> None:
        """MLflow has taken an update."""
        if self._away:
            self._away = False
            _log.info("%s answers again and is told what it missed", self._name)

    def refused(self, subject: str, error: Exception | None) -> None:
        """MLflow does not take an update, and never will."""
        _log.warning("%s does not take %s: %s", self._name, subject, error and reason(error))

    def wait(self, left: Sequence[Update], longest_s: float | None = None) -> None:
        """The end of the command waits for MLflow; without a limit if `longest_s` is None."""
        rest = kinds(left) or "the end of its runs"
        limit = "waiting for it" if longest_s is None else f"waiting at most {longest_s:g} s"
        _log.info("%s still has to hear of %s; %s", self._name, rest, limit)

    def give_up(self, left: Sequence[Update]) -> None:
        """The command ends although MLflow lacks something."""
        told = f"has not heard of {kinds(left)}" if left else "did not confirm its last updates"
        open_runs = "; until then runs there may still show as running"
        cure = f"the next run of the sweep, or `prunetune ui {self._sweep}`, tells it{open_runs}"
        _log.warning("%s %s; %s", self._name, told, cure)

    def differs(self, missing: Collection[str], running: Collection[str]) -> None:
        """MLflow lacks trials that it was told of, or shows runs that have ended as running."""
        if missing:
            _log.warning(
                "%s was told of %d trials and does not show them, among them %s; %s",
                *(self._name, len(missing), min(missing), "is another process changing its runs?"),
            )
        if running:
            _log.warning(
                "%s shows %d runs of this sweep as running although it has ended, among them %s",
                *(self._name, len(running), min(running)),
            )


def kinds(updates: Sequence[Update]) -> str:
    """What updates are about, in words: `3 trials, 1 report`."""
    counts = Counter(update.kind for update in updates).most_common()
    return ", ".join(f"{n} {kind}{'s' * (n != 1)}" for kind, n in counts)


def is_away(error: Exception) -> bool:
    """Whether waiting may help: MLflow, its database or its disk cannot be reached now."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    if isinstance(error, MlflowException):
        return error.error_code not in REFUSALS
    if isinstance(error, SQLAlchemyError):
        return True
    return isinstance(error, OSError) and not isinstance(error, FileNotFoundError)


def reason(error: BaseException) -> str:
    """The first line of the error at the bottom of a failed call: what network or database said."""
    chain = list(_causes(error))
    lowest = [e for e in chain if isinstance(e, OSError | sqlite3.Error) or _of_database(e)]
    decisive = lowest[-1] if lowest else error
    text = getattr(decisive, "strerror", None) or str(decisive) or type(decisive).__name__
    return without_passwords(text.strip().partition("\n")[0])


def cure(why: str) -> str:
    """What the user can do about a reason, as the end of a sentence; nothing for most reasons."""
    if not any(text in why for text in _DAMAGED):
        return ""
    return "; the file is damaged: move it away, and the next run makes a new one from the records"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        inner = (part for part in error.args if isinstance(part, BaseException))
        error = error.__cause__ or error.__context__ or next(inner, None)


def _of_database(error: BaseException) -> bool:
    return type(error).__module__.startswith(_DATABASES)
