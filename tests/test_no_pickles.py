"""Nothing that a user, a server or a worker supplies is unpickled or run, wherever it is read."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import prunetune

PACKAGE = Path(prunetune.__file__).parent
FORBIDDEN = {
    *("pickle.load", "pickle.loads", "pickle.Unpickler", "cloudpickle.load", "cloudpickle.loads"),
    *("ray.cloudpickle.load", "ray.cloudpickle.loads", "joblib.load", "dill.load", "dill.loads"),
    *("shelve.open", "marshal.load", "marshal.loads", "pandas.read_pickle", "pd.read_pickle"),
    *("yaml.load", "yaml.full_load", "yaml.unsafe_load", "eval", "exec", "os.system", "os.popen"),
}
CHECKED_BEFORE = {("data/cifar.py", "pickle.loads")}
"""CIFAR's published batches are pickles: each file's MD5 is compared with the published one."""


def risks(module: ast.Module) -> Iterator[tuple[str, int]]:
    """Calls that could run what they read, with their lines."""
    for node in ast.walk(module):
        if not isinstance(node, ast.Call):
            continue
        name, words = ast.unparse(node.func), {k.arg: k.value for k in node.keywords}
        if name in FORBIDDEN:
            yield name, node.lineno
        if name == "torch.load" and not _is(words.get("weights_only"), True):
            yield "torch.load without weights_only=True", node.lineno
        if _is(words.get("allow_pickle"), True):
            yield "allow_pickle=True", node.lineno
        if _is(words.get("shell"), True):
            yield "shell=True", node.lineno


def _is(node: ast.expr | None, value: object) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


def test_no_module_unpickles_or_runs_what_it_reads() -> None:
    found = {
        (str(path.relative_to(PACKAGE)), name)
        for path in PACKAGE.rglob("*.py")
        for name, _ in risks(ast.parse(path.read_text(encoding="utf-8")))
    }
    assert found == CHECKED_BEFORE


@pytest.mark.parametrize(
    "line",
    [
        "pickle.loads(data)",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "np.load(path, allow_pickle=True)",
        "yaml.load(text, Loader=L)",
        "subprocess.run(line, shell=True)",
        "eval(text)",
    ],
)
def test_what_is_forbidden_is_seen(line: str) -> None:
    assert list(risks(ast.parse(line)))
