"""Code of a user's is known by its text, and refused in words at its place in the sweep file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from prunetune.agenda.specs import dense_spec
from prunetune.config.file.growth import GrowthError
from prunetune.config.file.parse import load_sweep
from prunetune.config.problems.errors import Problem, SpecError
from prunetune.plan import Plan
from prunetune.records.store import Store
from prunetune.registry import PluginError
from prunetune.sweep import plan_sweep
from prunetune.sweep.plan_file import write_plan
from prunetune.user_code import code_digest as digests
from prunetune.user_code.code_digest import code_digest
from prunetune.user_code.params import ClassParams
from tests.plugins.own_code import beside, copied, forget

MODULE = "workload.model.module"
NETS = """
import numpy as np
import torch
from torch import nn

class Fixed(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Conv2d(1, 4, 3), nn.Flatten(), nn.Linear(144, 10))
        for parameter in self.parameters():
            nn.init.constant_(parameter, 0.5)

class Unseeded(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Flatten(), nn.Linear(64, 10))
        self[1].bias.data.fill_(np.random.rand())

class Flipped(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 8, 3, padding=1), nn.Conv2d(8, 32, 3, padding=1)
        self.fc = nn.Linear(32, 10)
    def forward(self, x):
        return self.fc(self.conv2(torch.relu(self.conv1(x)).flip(1)).mean((2, 3)))

class Branching(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.fc = nn.Conv2d(1, 4, 3), nn.Linear(4, 10)
    def forward(self, x):
        x = self.conv(x).mean((2, 3))
        return self.fc(x) if x.sum() > 0 else self.fc(-x)

class Pair(Branching):
    def forward(self, x):
        return self.conv(x), x

def number():
    return 7
"""


def planned(sweep: Path, *overrides: str) -> Plan:
    """The plan, as a new process makes it."""
    with beside(sweep.parent):
        return plan_sweep(sweep, overrides=overrides)


def only_problem(sweep: Path, *overrides: str) -> Problem:
    with pytest.raises(SpecError) as error:
        planned(sweep, *overrides)
    return error.value.problems[0]


@pytest.mark.parametrize(
    ("changed", "place", "message"),
    [
        ("class=SmallCNN", "class", "must be an import path, like my_package.SmallCNN"),
        ("class=small_cnn.SmalCNN", "class", "no SmalCNN; did you mean small_cnn.SmallCNN?"),
        ("class=nowhere.Net", "class", "put nowhere beside the sweep file, or install it"),
        ("class=small_cnn.torch", "class", "small_cnn.torch is no class, but an object of module"),
        ("class=nets.number", "args", "nets.number() raises TypeError"),
        ("args.classes=ten", "args", "small_cnn.SmallCNN(classes: 'int', channels: 'int' = 1, "),
        ("args.clases=10", "args", "unexpected keyword argument 'clases'"),
        ("args.classes=7", "", "gives a tensor (1, 7), and must give one logit per class"),
        ("args.channels=3", "", "does not run on an image of 1x8x8 (channels x height x width)"),
        ("digest=0123456789abcdef", "digest", "its code has changed"),
    ],
)
def test_a_wrong_class_is_refused_at_its_place(
    changed: str, place: str, message: str, tmp_path: Path
) -> None:
    sweep = copied(tmp_path / "own")
    (sweep.parent / "nets.py").write_text(NETS)
    problem = only_problem(sweep, f"{MODULE}.{changed}")
    where = ".".join(map(str, problem.path))
    assert where == (f"{MODULE}.{place}" if place else "workload.model")
    assert message in problem.message


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("number", "nets.number makes no torch.nn.Module, but int"),
        ("Fixed", "has the same weights under every seed"),
        ("Unseeded", "has other weights each time under one seed"),
        ("Pair", "one image gives tuple, and must give one logit per class: a tensor (1, 10)"),
    ],
)
def test_a_network_that_cannot_be_one_is_refused(name: str, message: str, tmp_path: Path) -> None:
    sweep = copied(tmp_path / "own")
    (sweep.parent / "nets.py").write_text(NETS)
    assert message in only_problem(sweep, f"{MODULE}={{class: nets.{name}}}").message


def test_a_network_that_cannot_be_traced_is_refused_at_each_arm(tmp_path: Path) -> None:
    sweep = copied(tmp_path / "own")
    (sweep.parent / "nets.py").write_text(NETS)
    with pytest.raises(SpecError) as error:
        planned(sweep, f"{MODULE}={{class: nets.Branching}}")
    found = {problem.path[:3]: problem.message for problem in error.value.problems}
    for arm in ("thin", "pruned"):
        assert "its path depends on the numbers in an image" in found["arms", arm, "method"]


def test_the_line_of_the_file_is_named(tmp_path: Path) -> None:
    sweep = copied(tmp_path / "own")
    sweep.write_text(sweep.read_text().replace("classes: 10", "classes: 7"))
    assert only_problem(sweep).line == 5


def test_the_plan_names_channels_that_thin_networks_keep_too(tmp_path: Path) -> None:
    sweep = copied(tmp_path / "own")
    (sweep.parent / "nets.py").write_text(NETS)
    only_thin = ("arms={thin: {method: width_scaling}}", "tolerance=0.1")
    plan = planned(sweep, f"{MODULE}={{class: nets.Flipped}}", *only_thin)
    assert [entry.layer for entry in plan.left_alone] == ["conv1"]
    assert not any(study.infeasible for study in plan.studies)


def test_there_are_no_stages_and_blocks_to_scale(tmp_path: Path) -> None:
    sweep = copied(tmp_path / "own")
    with pytest.raises(SpecError, match="module has no stages and blocks: all its groups of"):
        planned(sweep, "arms.thin.method={width_scaling: {by: depth}}")


def comment(text: str) -> str:
    return f"{text}\n# one more line\n"


def other_gate(text: str) -> str:
    return text.replace("sigmoid", "tanh")


@pytest.mark.parametrize(
    ("file", "edit", "same"),
    [
        ("small_cnn.py", comment, False),
        ("gate.py", other_gate, False),  # imported by the module of the class
        ("sweep.yaml", comment, True),
        ("unused.py", comment, True),
        ("gate.py", lambda text: text.replace("\n", "\r\n"), True),  # checked out elsewhere
    ],
)
def test_an_edited_network_has_other_keys(
    file: str, edit: Callable[[str], str], same: bool, tmp_path: Path
) -> None:
    sweep = copied(tmp_path / "own")
    (sweep.parent / "unused.py").touch()
    before = planned(sweep)
    edited = sweep.parent / file
    edited.write_bytes(edit(edited.read_text()).encode())
    after = planned(sweep)
    assert (dense_spec(before, 0, 0).key == dense_spec(after, 0, 0).key) == same
    assert (before.dense.architecture == after.dense.architecture) == same


def test_the_folder_is_no_part_of_a_key(tmp_path: Path) -> None:
    first, second = (planned(copied(tmp_path / name)) for name in ("one", "two"))
    assert first.fingerprint == second.fingerprint
    assert first.plugins == ("small_cnn",)  # so it travels, and is imported first


def test_a_module_that_another_one_hides_is_refused(tmp_path: Path) -> None:
    first, second = (copied(tmp_path / name) for name in ("one", "two"))
    with beside(first.parent):
        plan_sweep(first)
        with pytest.raises(
            PluginError, match=r"two/small_cnn.py: hidden by another .*rename yours"
        ):
            plan_sweep(second)
        assert plan_sweep(first).plugins == ("small_cnn",)


def test_a_sweep_that_has_begun_refuses_other_code(tmp_path: Path) -> None:
    sweep = copied(tmp_path / "own")
    store, spec = Store(tmp_path / "runs", "own-network"), load_sweep(sweep)
    write_plan(store, spec, planned(sweep))
    gate = sweep.parent / "gate.py"
    gate.write_text(other_gate(gate.read_text()))
    with pytest.raises(GrowthError, match=r"workload\.model: other code than the sweep began with"):
        write_plan(store, spec, planned(sweep))


def test_packages_relative_imports_and_libraries_are_part_of_the_digest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "own"
    (folder / "nets" / "parts").mkdir(parents=True)
    files = {
        "nets/__init__.py": "",
        "nets/net.py": "from . import sizes\nfrom .parts.block import Block\nimport yaml, json\n",
        "nets/sizes.py": "WIDTH = 8\n",
        "nets/parts/__init__.py": "",
        "nets/parts/block.py": "class Block:\n    def f(self):\n        from ..late import LATE\n",
        "nets/late.py": "LATE = 1\n",
    }
    for name, text in files.items():
        (folder / name).write_text(text)
    monkeypatch.syspath_prepend(folder)

    def digest() -> str:
        forget(folder)
        return code_digest("nets.net")

    first = digest()
    assert digest() == first
    seen = {first}
    for name, text in files.items():
        (folder / name).write_text(f"{text}# edited\n")
        seen.add(digest())
    assert len(seen) == 1 + len(files)
    monkeypatch.setattr(digests, "_version", lambda top: f"{top} 99")
    assert digest() not in seen
    forget(folder)


def test_parameters_keep_the_name_of_the_file() -> None:
    params = ClassParams.model_validate({"class": "nets.Net", "args": {"width": 8}})
    assert params.model_dump(exclude_defaults=True) == {"class": "nets.Net", "args": {"width": 8}}
    assert ClassParams.model_validate(params.model_dump()) == params
