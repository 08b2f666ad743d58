"""An exported network is the original, and a file that is not appears nowhere."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from prunetune import load_winner
from prunetune.deploy import export
from prunetune.deploy.export import FORMAT_NAMES, FormatName, export_network, file_kind
from prunetune.deploy.formats.safetensors_file import SafetensorsFile
from prunetune.deploy.images import validation_images
from prunetune.records.record import Record
from prunetune.records.store import Store
from tests.cli.command import prunetune


@pytest.fixture(scope="module")
def winner(swept: Store) -> Record:
    return min(
        (r for r in swept.records().values() if r.arm == "pruned" and r.phase == "confirm"),
        key=lambda r: r.seed,
    )


FORMATS = [pytest.param(name, marks=pytest.mark.slow) for name in FORMAT_NAMES[1:]]


@pytest.mark.parametrize("name", [FORMAT_NAMES[0], *FORMATS])
def test_the_file_alone_gives_the_logits_of_the_winner(
    swept: Store, winner: Record, tmp_path: Path, name: FormatName
) -> None:
    path = tmp_path / "network.file"
    exported = export_network(swept, winner, name, path)
    assert exported.max_difference <= 1e-4
    assert exported.same_class == exported.images == 144
    model, run = load_winner("small", "pruned@0.5", swept.storage), file_kind(name).read(path)
    for batch in (1, 3, 100):
        images = torch.randn(batch, *winner.architecture.input_shape)
        with torch.no_grad():
            assert torch.allclose(run(images), model(images), atol=1e-4)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_the_file_says_where_it_comes_from_and_how_images_are_normalised(
    swept: Store, winner: Record, tmp_path: Path
) -> None:
    path = tmp_path / "network.safetensors"
    export_network(swept, winner, "safetensors", path)
    with safe_open(path, framework="pt") as file:
        facts = file.metadata()
    assert facts["trial"] == winner.key
    assert int(facts["macs"]) == winner.macs
    mean, std = (torch.tensor(json.loads(facts[name]))[:, None, None] for name in ("mean", "std"))
    pixels = validation_images(swept.trial(winner.key), 50) * std + mean
    assert pixels.min() > -1e-6
    assert pixels.max() < 1 + 1e-6


class Wrong(SafetensorsFile):
    """Gives the second best class the better logit."""

    def read(self, path: Path):
        run = super().read(path)
        return lambda images: run(images).roll(1, dims=1)


def test_a_file_that_disagrees_is_refused_and_the_former_one_stays(
    swept: Store, winner: Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "network.safetensors"
    path.write_bytes(b"former")
    monkeypatch.setattr(export, "file_kind", lambda name: Wrong())
    words = ("export", winner.key, "--to", "safetensors", "--storage", swept.storage)
    done = prunetune(*words, "-o", path)
    assert (done.returncode, done.stdout) == (1, "")
    assert "is not written: on 144 images its logits differ" in done.stderr
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"former"]


@pytest.mark.parametrize("which", ["search", "nothing", "no package"])
def test_what_cannot_be_exported_is_bad_input(
    swept: Store, winner: Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, which: str
) -> None:
    search = next(r.key for r in swept.records().values() if r.phase == "search")
    if which == "no package":
        monkeypatch.setitem(sys.modules, "onnxscript", None)
    key, to, said = {
        "search": (search, "safetensors", "a search trial keeps none"),
        "nothing": ("zz", "safetensors", "no trial under"),
        "no package": (winner.key, "onnx", "pip install 'prunetune[onnx]'"),
    }[which]
    file = tmp_path / "file"
    done = prunetune("export", key, "--to", to, "-o", file, "--storage", swept.storage)
    assert done.returncode == 2
    assert said in done.stderr
    assert not file.exists()


def test_scripts_are_told_what_was_written(swept: Store, winner: Record, tmp_path: Path) -> None:
    file = tmp_path / "new" / "n.safetensors"
    words = ("export", winner.key[:12], "--to", "safetensors", "-o", file, "--json")
    facts = json.loads(prunetune(*words, "--storage", swept.storage).stdout)
    assert facts["size_bytes"] == file.stat().st_size
    assert (facts["max_difference"], facts["format"]) == (0, "safetensors")
