"""Random slips in trees of plain data and in texts; hypothesis may choose and shrink them."""

from __future__ import annotations

import copy
import math
import random
from collections.abc import Iterator, Sequence
from typing import Any

Place = tuple[str | int, ...]
UNKNOWN = "zzz"
"""A word that no file, part or field knows."""
_GARBAGE = ("unknown key", "wrong kind")
"""Mutations after which a sweep file or a record cannot be right, wherever they strike."""
EXTREMES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2, 3, 64, 999, 10**6, 10**9, 2**31, 2**63 - 1, -(2**63), 2**64),
    *(10**40, 0.0, -0.0, 0.5, 1e-12, 1e-320, 1.0000001, 1e6, 1e300, -1.5, math.inf, math.nan),
    *("", " ", "0.5", "1e-5", "2.5x", "63M", "1x", "1e99x", "none", "auto", "null", "thin", "zzz"),
    *(
        "../../up",
        "a/b",
        "mlflow.db",
        "?",
        "%2e",
        "#",
        "\0",
        "\u202e",
        "é",
        "\U0001f600",
        "x" * 500,
    ),
    *("x" * 100_000, "epochs=7", "epochs=999999", "sparsity=0.9", "dense", "from", "choice"),
    *([], {}, [[]], [None], [0.5] * 3, {"sparsity": 0.9}, {UNKNOWN: 1}, {"": 1}, {"a.b": {}}),
    *([0.01 + i / 1000 for i in range(900)], list(range(5000)), {f"k{i}": i for i in range(2000)}),
)
RANGES: tuple[Any, ...] = (
    {"int": [1, 3]},
    {"int": [1, 10**12]},
    {"int": [1, 10**18], "step": 1},
    {"float": [1e-5, 1], "log": True},
    {"float": [0, 1], "step": 1e-12},
    {"float": [0, 1], "step": 0.3},
    {"float": [-1e308, 1e308]},
    {"float": [1, 0]},
    {"int": [0, 8], "log": True},
    {"choice": [1, 2, 3]},
    {"choice": ["sgd", "adamw"]},
    {"choice": list(range(2000))},
    {"choice": {"magnitude": {}, "random": {}}},
    {"choice": [{"choice": [1]}]},
    {"by_budget": {"0.5": 1}},
    {"by_budget": {"0.5": {"int": [1, 2]}, "2.5x": 3}},
    {"from": "thin"},
    {"from": "pruned"},
    {"from": "reinit", "match": "marginal"},
)


def places(tree: Any, at: Place = ()) -> Iterator[Place]:
    """The places of all values in a tree, without the root."""
    items: Any = ()
    if isinstance(tree, dict):
        items = tree.items()
    elif isinstance(tree, list):
        items = enumerate(tree)
    for key, value in items:
        yield (*at, key)
        yield from places(value, (*at, key))


def value_at(tree: Any, place: Place) -> Any:
    for part in place:
        tree = tree[part]
    return tree


def rearranged(name: str, chance: random.Random) -> str:
    """A name with a slip of the hand in it."""
    at = chance.randrange(len(name)) if name else 0
    return chance.choice([name[:at] + name[at + 1 :], name + "s", name.swapcase(), name[::-1]])


class _Mutator:
    """One random mutation after the other of a tree in place."""

    def __init__(self, tree: Any, chance: random.Random, donors: Sequence[Any]) -> None:
        self.tree, self.chance, self.donors = tree, chance, donors

    def step(self) -> str:
        """Mutate the tree and say how."""
        place = self.chance.choice(list(places(self.tree)) or [()])
        if not place:
            return "nothing left"
        parent, key = value_at(self.tree, place[:-1]), place[-1]
        kinds = [k for k in dir(self) if k.startswith("_do_")]
        kind = self.chance.choice(kinds)
        done = getattr(self, kind)(parent, key)
        return kind.removeprefix("_do_").replace("_", " ") if done is not False else "nothing"

    def _do_delete(self, parent: Any, key: Any) -> None:
        del parent[key]

    def _do_extreme(self, parent: Any, key: Any) -> None:
        parent[key] = copy.deepcopy(self.chance.choice(EXTREMES))

    def _do_range(self, parent: Any, key: Any) -> None:
        parent[key] = copy.deepcopy(self.chance.choice(RANGES))

    def _do_graft(self, parent: Any, key: Any) -> None:
        """Put a value from elsewhere here."""
        donor = self.chance.choice(self.donors)
        parent[key] = copy.deepcopy(value_at(donor, self.chance.choice(list(places(donor)))))

    def _do_scale(self, parent: Any, key: Any) -> bool | None:
        if isinstance(parent[key], bool) or not isinstance(parent[key], int | float):
            return False
        factor = self.chance.choice([-1, 0.1, 10, 1000, 10**7, 1e-7, 0.999999])
        number = parent[key] * factor
        whole = isinstance(parent[key], int) and math.isfinite(number)
        parent[key] = int(number) if whole else number
        return None

    def _do_as_text(self, parent: Any, key: Any) -> None:
        parent[key] = str(parent[key])

    def _do_wrap(self, parent: Any, key: Any) -> None:
        parent[key] = self.chance.choice([[parent[key]], [parent[key]] * 40, {key: parent[key]}])

    def _do_rename(self, parent: Any, key: Any) -> bool | None:
        if not isinstance(parent, dict):
            return False
        parent[rearranged(str(key), self.chance)] = parent.pop(key)
        return None

    def _do_repeat(self, parent: Any, key: Any) -> None:
        """The same value once more, under another name."""
        if isinstance(parent, list):
            parent.append(copy.deepcopy(parent[key]))
        else:
            parent[f"{key}{self.chance.randrange(9)}"] = copy.deepcopy(parent[key])

    def _do_unknown_key(self, parent: Any, key: Any) -> bool | None:
        if not isinstance(parent, dict):
            return False
        parent[UNKNOWN] = 1
        return None

    def _do_wrong_kind(self, parent: Any, key: Any) -> None:
        parent[key] = self.chance.choice([{UNKNOWN: 1}, [[]], {UNKNOWN: {UNKNOWN: [1]}}])


def mutated_tree(
    tree: Any, donors: Sequence[Any], chance: random.Random
) -> tuple[Any, tuple[str, ...]]:
    """A copy of a tree after one to three random mutations, and what they were."""
    mutator = _Mutator(copy.deepcopy(tree), chance, donors)
    kinds = [mutator.step() for _ in range(chance.choice([1, 1, 1, 2, 3]))]
    return mutator.tree, tuple(kinds)


INSERTS = (
    *(": ", "{", "}", "[", "]", "- ", "&a ", "*a", "*shared", "<<: *shared\n", "\t", "\n"),
    *("!!python/object/apply:os.system ['true']", "!!binary aGk=", "!<x> ", "%TAG ! x\n"),
    *("\0", "\x1b[2J", "\ufeff", "\u2028", "'", '"', "#", "@", "`", "%", ",", "? ", "|", "---\n"),
    *("1e400", "0x" + "f" * 99),
    *(" [" * 2000, "{a: " * 1500, "a: &a [*a]\n", "zzz: 1\n", "name: again\n", "~", "9" * 5000),
)  # fmt: skip


def mutated_text(text: str, chance: random.Random) -> tuple[str, tuple[str, ...]]:
    """A text after one or two random slips in characters, spans, lines or indentation."""
    kinds = []
    for _ in range(chance.choice([1, 1, 2])):
        a, b = sorted(chance.randrange(len(text) + 1) for _ in range(2))
        b = min(b, a + chance.choice([1, 3, 20, 200]))
        kind = chance.choice(["insert", "cut", "truncate", "repeat", "swap", "character", "indent"])
        kinds.append(kind)
        match kind:
            case "insert":
                text = text[:a] + chance.choice(INSERTS) + text[a:]
            case "cut":
                text = text[:a] + text[b:]
            case "truncate":
                text = text[:a]
            case "repeat":
                text = text[:b] + text[a:b] * chance.choice([1, 2, 300]) + text[b:]
            case "swap":
                lines = text.splitlines(keepends=True) or [""]
                i, j = (chance.randrange(len(lines)) for _ in range(2))
                lines[i], lines[j] = lines[j], lines[i]
                text = "".join(lines)
            case "character":
                text = text[:a] + chr(chance.choice([*range(256), 0xD7FF, 0x1F600])) + text[a + 1 :]
            case "indent":
                lines = text.splitlines(keepends=True) or [""]
                i = chance.randrange(len(lines))
                lines[i] = " " * chance.randrange(1, 5) + lines[i]
                text = "".join(lines)
    return text, tuple(kinds)


def is_garbage(kinds: Sequence[str]) -> bool:
    """Whether what was done makes any tree wrong; a second mutation might have undone it."""
    return len(kinds) == 1 and kinds[0] in _GARBAGE
