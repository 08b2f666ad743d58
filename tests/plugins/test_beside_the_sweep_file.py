"""A plug-in module beside the sweep file is found, in this process and where trials run."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from prunetune.plan import Plan
from prunetune.registry import (
    PluginError,
    load_plugins,
    make_importable,
    plugin_folders,
    schedules,
)
from prunetune.sweep import plan_sweep
from tests.plugins.beside import write_sweep_with_plugin


@pytest.fixture
def sweep_file(tmp_path: Path) -> Iterator[Path]:
    before = list(sys.path)
    yield write_sweep_with_plugin(tmp_path / "a sweep 100%")
    sys.path[:] = before
    sys.modules.pop("straight_line_part", None)
    schedules._entries.pop("straight_line", None)


def planned(path: Path) -> Plan:
    plan = plan_sweep(path)
    assert plan.plugins == ("straight_line_part",)
    return plan


def test_it_is_planned_and_its_folder_is_known(sweep_file: Path) -> None:
    plan = planned(sweep_file)
    assert plugin_folders(plan.plugins) == (str(sweep_file.parent),)
    assert plan.studies[0].space.constants()["recipe.schedule"] == "straight_line"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, r"ModuleNotFoundError: .*; put broken_part beside the sweep file"),
        ("import no_such_library", r"ModuleNotFoundError: No module named 'no_such_library'$"),
        ("raise RuntimeError('two\\nlines')", r"RuntimeError: two lines$"),
        ("1 +", r"SyntaxError: "),
    ],
)
def test_one_that_cannot_be_imported_is_named_in_one_line(
    content: str | None, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if content is not None:
        (tmp_path / "broken_part.py").write_text(content)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(PluginError, match=f"^plug-in 'broken_part' cannot be imported: {reason}"):
        load_plugins(["broken_part"])


def test_an_installed_module_is_never_hidden(sweep_file: Path) -> None:
    (sweep_file.parent / "json.py").write_text("raise ImportError('hidden')")
    planned(sweep_file)
    assert sys.path[-1] == str(sweep_file.parent)


def test_the_folder_of_a_package_holds_the_package(tmp_path: Path, sweep_file: Path) -> None:
    package = tmp_path / "beside_package"
    (package / "inner").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "inner" / "__init__.py").touch()
    (package / "inner" / "part.py").touch()
    make_importable([str(tmp_path)])
    modules = ["beside_package", "beside_package.inner", "beside_package.inner.part"]
    load_plugins(modules)
    assert plugin_folders(modules) == (str(tmp_path),)
    assert plugin_folders(["never_imported"]) == ()
