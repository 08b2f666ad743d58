"""The mistakes in a sweep file, reported all at once, each with its place and its cure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field

from prunetune.config.problems.misplaced import field_meant
from prunetune.messages import without_passwords

YamlPath = tuple[str | int, ...]
"""The keys and list indices that lead to a value in the file."""
_LONGEST = 300
"""Characters of a path, a value or a message that one problem shows."""
_MOST_SHOWN = 100
"""Problems that an error prints; a file with more is rarely what its author meant to write."""
_MOST_NOTED = 500
"""Problems that are looked for at all."""


def dotted(path: YamlPath) -> str:
    """`("budgets", 0)` as `budgets[0]`, `("a", "b")` as `a.b`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text or "(the file)"


def near_match(name: object, allowed: Iterable[str]) -> str | None:
    """The allowed name that is closest to `name`; None if no name is close."""
    return next(iter(difflib.get_close_matches(str(name), list(allowed), n=1, cutoff=0.6)), None)


class MeantError(ValueError):
    """A value is refused, and what was perhaps meant is known, or what is allowed there.

    Raised where pydantic validates, so that the problem says each in its place.
    """

    def __init__(
        self, message: str, *, meant: str | None = None, allowed: str | None = None
    ) -> None:
        self.message, self.meant, self.allowed = message, meant, allowed
        super().__init__(
            message
            + (f"; did you mean {meant}?" if meant else "")
            + (f"; allowed: {allowed}" if allowed else "")
        )


@dataclass(frozen=True)
class Problem:
    """One mistake: its YAML path and line, the message, the value, and what is allowed there."""

    path: YamlPath
    message: str
    value: object = None
    allowed: str | None = None
    near: str | None = None
    """The allowed name that is closest to the value."""
    meant: str | None = None
    """What the file should perhaps say instead, as it would say it."""
    line: int | None = None

    def __str__(self) -> str:
        where = f"line {self.line}: " if self.line else ""
        parts = [f"{where}{_shortened(dotted(self.path))}: {_shortened(self.message)}"]
        if self.value is not None:
            parts.append(f"got {_shortened(repr(self.value))}")
        if meant := self.meant or (self.near and repr(self.near)):
            parts.append(f"did you mean {_shortened(meant)}?")
        if self.allowed:
            parts.append(f"allowed: {_shortened(self.allowed, 10 * _LONGEST)}")
        return without_passwords("; ".join(parts))


def _shortened(text: str, most: int = _LONGEST) -> str:
    """The text on one line, control characters escaped; of a long one its beginning and its end."""
    shown = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
    if len(shown) > most:
        shown = f"{shown[: most // 2]} … ({len(text):,} characters) … {shown[-most // 2 :]}"
    return shown


class SpecError(ValueError):
    """The sweep file cannot run; holds all its problems in the order of the file."""

    exit_code = 2

    def __init__(self, problems: Iterable[Problem], source: str = "") -> None:
        self.problems = tuple(sorted(problems, key=lambda p: p.line or 0))
        self.source = source
        head = f"{source}: " if source else ""
        count = len(self.problems)
        shown = [f"  {problem}" for problem in self.problems[:_MOST_SHOWN]]
        rest = [f"  … and {count - _MOST_SHOWN} more"] if count > _MOST_SHOWN else []
        at_least = "at least " if count >= _MOST_NOTED else ""
        lines = [f"{head}{at_least}{count} problem{'s' * (count != 1)}", *shown, *rest]
        super().__init__("\n".join(lines))


@dataclass
class Problems:
    """A growing list of problems that knows the lines of the file."""

    lines: dict[YamlPath, int] = field(default_factory=dict)
    found: list[Problem] = field(default_factory=list)

    def add(
        self,
        path: YamlPath,
        message: str,
        *,
        value: object = None,
        allowed: str | None = None,
        near: str | None = None,
        meant: str | None = None,
    ) -> None:
        """Note a problem at `path`, with the line of `path` or of its nearest parent."""
        problem = Problem(path, message, value, allowed, near, meant, self.line(path))
        if not self.full and problem not in self.found:
            self.found.append(problem)

    def unknown(self, path: YamlPath, allowed: Iterable[str]) -> None:
        """Note that the last part of `path` is not one of the `allowed` fields."""
        if self.full:
            return
        names = list(allowed)
        known = ", ".join(names) or "none"
        near, meant = near_match(path[-1], names), field_meant(path)
        self.add(path, "unknown field", allowed=known, near=near, meant=meant)

    @property
    def full(self) -> bool:
        """Whether there are so many problems that no others are looked for."""
        return len(self.found) >= _MOST_NOTED

    def under(self, path: YamlPath) -> bool:
        """Whether there is a problem at `path` or below it."""
        return any(problem.path[: len(path)] == path for problem in self.found)

    def fork(self) -> Problems:
        """An empty list that knows the same lines."""
        return Problems(self.lines)

    def merge(self, problems: Iterable[Problem]) -> None:
        """Take over the `problems` that are not yet in the list."""
        for problem in problems:
            if not self.full and problem not in self.found:
                self.found.append(problem)

    def line(self, path: YamlPath) -> int | None:
        """The line of `path`, or of its nearest parent in the file."""
        for end in range(len(path), 0, -1):
            if path[:end] in self.lines:
                return self.lines[path[:end]]
        return None

    def check(self, source: str = "") -> None:
        """Raise the problems, if there are any.

        Raises:
            SpecError: there are problems.
        """
        if self.found:
            raise SpecError(self.found, source)
