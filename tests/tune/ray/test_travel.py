"""What travels to a cluster: our code and the user's modules, and nothing else of a folder."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from prunetune.tune.ray.travel import modules_beside, packed


@pytest.fixture
def beside(tmp_path):
    """A folder with a package, two modules, data and results."""
    package = tmp_path / "my_parts"
    (package / "deep").mkdir(parents=True)
    for name in ("__init__.py", "deep/__init__.py", "deep/part.py", "weights.pt"):
        (package / name).write_text("")
    (tmp_path / "my_part.py").write_text("")
    (tmp_path / "unused.py").write_text("")
    (tmp_path / "runs").mkdir()
    return tmp_path


def test_plug_ins_travel_without_data(beside):
    with packed(["my_parts.deep.part", "my_part"], [str(beside)]) as environment:
        ours, *others = map(Path, environment["py_modules"])
        assert (ours / "tune" / "ray" / "travel.py").exists()
        assert not list(ours.rglob("__pycache__"))
        assert [path.name for path in others] == ["my_parts", "my_part.py"]
        files = sorted(str(p.relative_to(others[0])) for p in others[0].rglob("*") if p.is_file())
        assert files == ["__init__.py", "deep/__init__.py", "deep/part.py"]
    assert not ours.exists()


def test_what_a_plug_in_has_imported_beside_it_travels_too(beside, monkeypatch):
    (beside / "my_part.py").write_text("import unused")
    monkeypatch.syspath_prepend(str(beside))
    __import__("my_part")
    try:
        found = modules_beside(["my_part"], [str(beside)])
    finally:
        del sys.modules["my_part"], sys.modules["unused"]
    assert [path.name for path in found] == ["my_part.py", "unused.py"]


def test_what_a_plug_in_imports_later_travels_too(beside, monkeypatch):
    (beside / "my_part.py").write_text("def late():\n    import unused\n")
    monkeypatch.syspath_prepend(str(beside))
    found = modules_beside(["my_part"], [str(beside)])
    assert [path.name for path in found] == ["my_part.py", "unused.py"]
    assert "my_part" not in sys.modules


def test_installed_plug_ins_do_not_travel(tmp_path):
    folder = tmp_path / "site-packages"
    folder.mkdir()
    (folder / "my_part.py").write_text("")
    assert modules_beside(["my_part"], [str(folder)]) == []


def test_the_copies_are_all_that_a_worker_needs(beside):
    (beside / "my_part.py").write_text("import prunetune; print(prunetune.__file__)")
    with packed(["my_part"], [str(beside)]) as environment:
        path = [str(Path(module).parent) for module in environment["py_modules"]]
        script = f"import sys; sys.path[:0] = {path!r}; import my_part"
        command = [sys.executable, "-c", script]
        done = subprocess.run(command, capture_output=True, text=True, cwd="/", check=True)
        assert done.stdout.strip() == str(Path(path[0]) / "prunetune" / "__init__.py")


def test_a_submitted_job_that_brings_modules_keeps_them(monkeypatch):
    job = {"runtime_env": {"py_modules": ["gcs://mine.zip"]}}
    monkeypatch.setenv("RAY_JOB_CONFIG_JSON_ENV_VAR", json.dumps(job))
    with packed([], []) as environment:
        assert environment is None
