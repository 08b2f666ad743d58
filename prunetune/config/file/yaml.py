"""Reads and writes YAML: plain data, with the line of every value and every duplicate key.

Scalars follow YAML 1.2: `1e-5` is a number, only `true` and `false` are booleans (`on`, `yes` and
`n` are text), `1:30` and `2026-01-01` are text. Keys are text exactly as written. Tags that would
make objects are refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from prunetune.config.file.bounded import read_bounded
from prunetune.config.file.shipped import shipped_sweeps
from prunetune.config.problems.errors import Problem, Problems, SpecError, YamlPath, near_match

MAX_VALUES = 50_000
"""A limit that no real sweep file meets, because aliases of aliases could fill the memory."""

_CORE = "tag:yaml.org,2002:"
_SCALARS = {
    "null": (r"~|null|Null|NULL|", "~nN\0"),
    "bool": (r"true|True|TRUE|false|False|FALSE", "tTfF"),
    "int": (r"[-+]?[0-9][0-9_]*|0x[0-9a-fA-F_]+|0o[0-7_]+", "-+0123456789"),
    "float": (
        r"[-+]?(\.[0-9][0-9_]*|[0-9][0-9_]*(\.[0-9_]*)?)([eE][-+]?[0-9]+)?"
        r"|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+.0123456789",
    ),
    "merge": (r"<<", "<"),
}


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012


class _Dumper(yaml.SafeDumper):
    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def represent_str(self, data: str) -> yaml.ScalarNode:
        # PyYAML would write U+0085 and its like unquoted, and read them back as line breaks.
        style = None if data.isprintable() else '"'
        return self.represent_scalar(_CORE + "str", data, style=style)


_Dumper.add_representer(str, _Dumper.represent_str)
for _name, (_pattern, _first) in _SCALARS.items():
    for _class in (_Loader, _Dumper):
        _class.add_implicit_resolver(
            _CORE + _name,
            re.compile(rf"(?:{_pattern})\Z"),
            ["", *_first.strip("\0")] if "\0" in _first else list(_first),
        )


def read(path: Path) -> tuple[dict[str, Any], Problems]:
    """The mapping in the file at `path`, and the problems found so far, with the file's lines.

    Raises:
        SpecError: the file holds no mapping: it is missing, empty, no text or no YAML.
    """
    source = str(path)
    try:
        text = read_bounded(path).decode("utf-8-sig")
    except OSError as error:
        raise SpecError([_unreadable(path, error)], source) from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise SpecError([Problem((), "not UTF-8 text", line=line)], source) from error
    tree, problems = load(text, source)
    if not isinstance(tree, dict):
        message = "is empty" if tree is None else "must be a mapping"
        problems.add((), message, allowed="name, workload, budgets, arms, …")
        problems.check(source)
    return tree, problems


def _unreadable(path: Path, error: OSError) -> Problem:
    message = error.strerror or "cannot be read"
    if not isinstance(error, FileNotFoundError):
        return Problem((), message)
    names = shipped_sweeps()
    allowed = f"a sweep file, or one of {', '.join(names)}"
    return Problem((), message, allowed=allowed, near=near_match(path.name, names))


def load(text: str, source: str = "") -> tuple[Any, Problems]:
    """The data in `text`; duplicate keys and foreign tags become problems.

    Raises:
        SpecError: the text is no YAML.
    """
    problems = Problems()
    try:
        node = yaml.compose(text, Loader=_Loader)
        tree = None if node is None else _Reader(problems).value(node, ())
    except RecursionError as error:
        raise SpecError([Problem((), "nested too deeply")], source) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        message = f"not YAML: {error.problem or error.context}"
        line = mark.line + 1 if mark else None
        raise SpecError([Problem((), message, line=line)], source) from error
    except yaml.reader.ReaderError as error:
        line = text[: error.position].count("\n") + 1
        message = f"not YAML: the character {error.character!r} is not allowed"
        raise SpecError([Problem((), message, line=line)], source) from error
    return tree, problems


def dump(tree: Mapping[str, Any]) -> str:
    """`tree` as the text of a sweep file; `load` reads the same tree back."""
    return yaml.dump(dict(tree), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)


def flow(value: Any) -> str:
    """`value` on one line."""
    text = yaml.dump(
        value, Dumper=_Dumper, default_flow_style=True, sort_keys=False, width=float("inf")
    )
    return text.removesuffix("\n").removesuffix("\n...")


class _Reader:
    """Turns YAML nodes into data, and notes lines and problems on the way."""

    def __init__(self, problems: Problems) -> None:
        self.problems = problems
        self.open: list[yaml.Node] = []

    def value(self, node: yaml.Node, path: YamlPath) -> Any:
        """The data of `node`, which stands at `path`."""
        self.problems.lines.setdefault(path, node.start_mark.line + 1)
        if len(self.problems.lines) > MAX_VALUES or any(node is parent for parent in self.open):
            message = "aliases without end" if node in self.open else "more values than a sweep has"
            raise yaml.MarkedYAMLError(problem=message, problem_mark=node.start_mark)
        self.open.append(node)
        try:
            if isinstance(node, yaml.MappingNode):
                return self._mapping(node, path)
            if isinstance(node, yaml.SequenceNode):
                self._check_tag(node, path, "seq")
                return [self.value(item, (*path, i)) for i, item in enumerate(node.value)]
            return self._scalar(node, path)
        finally:
            self.open.pop()

    def _mapping(self, node: yaml.MappingNode, path: YamlPath) -> dict[str, Any]:
        self._check_tag(node, path, "map")
        line_of: dict[str, int] = {}
        tree: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if key.tag == _CORE + "merge":
                merged = {**self._merged(value, path), **merged}
                continue
            if not isinstance(key, yaml.ScalarNode) or key.tag not in _CONSTRUCTORS:
                self._add(key, path, "a key must be plain text")
                continue
            name = key.value
            if name in line_of:
                message = f"duplicate key, it stands on line {line_of[name]} as well"
                self._add(key, (*path, name), message)
                continue
            line_of[name] = line
            self.problems.lines[(*path, name)] = line
            tree[name] = self.value(value, (*path, name))
        return {**{k: v for k, v in merged.items() if k not in tree}, **tree}

    def _merged(self, node: yaml.Node, path: YamlPath) -> dict[str, Any]:
        """The mapping that `<<` merges in; of a list of mappings, earlier ones take precedence."""
        nodes = node.value if isinstance(node, yaml.SequenceNode) else [node]
        tree: dict[str, Any] = {}
        for source in nodes:
            value = self.value(source, path)
            if isinstance(value, dict):
                tree = {**value, **tree}
            else:
                self._add(source, path, "<< takes a mapping or a list of mappings")
        return tree

    def _scalar(self, node: yaml.Node, path: YamlPath) -> Any:
        text = node.value
        try:
            if not self._check_tag(node, path, *_KINDS):
                return text
            value = _CONSTRUCTORS[node.tag](text)
            text.encode()
        except (ValueError, KeyError):  # `!!int abc`, a lone surrogate
            kind = node.tag.removeprefix(_CORE)
            self._add(node, path, f"cannot be read as {_WORDS.get(kind, kind)}", value=text)
            return None
        return value

    def _check_tag(self, node: yaml.Node, path: YamlPath, *kinds: str) -> bool:
        """Whether the tag is one of the plain `kinds`; any other tag is a problem."""
        if node.tag.removeprefix(_CORE) in kinds and node.tag.startswith(_CORE):
            return True
        self._add(node, path, "tags that make objects are refused", value=node.tag)
        return False

    def _add(self, node: yaml.Node, path: YamlPath, message: str, value: object = None) -> None:
        problem = Problem(path, message, value, line=node.start_mark.line + 1)
        self.problems.found.append(problem)


def _int(text: str) -> int:
    digits = text.replace("_", "")
    number = int(digits, 0) if digits[:2] in ("0x", "0o") else int(digits)
    if abs(number) >= 2**63:
        raise ValueError("more than 64 bits")
    return number


def _float(text: str) -> float:
    return float(text.replace("_", "").lower().replace(".inf", "inf").replace(".nan", "nan"))


def _bool(text: str) -> bool:
    return {"true": True, "false": False}[text.lower()]


def _constructors() -> Iterator[tuple[str, Callable[[str], Any]]]:
    yield "str", str
    yield "null", lambda text: None
    yield "bool", _bool
    yield "int", _int
    yield "float", _float


_CONSTRUCTORS = {_CORE + name: make for name, make in _constructors()}
_WORDS = {"int": "a whole number of 64 bits", "float": "a number", "bool": "true or false"}
_KINDS = tuple(name for name, _ in _constructors())
