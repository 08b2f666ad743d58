from __future__ import annotations

import pytest

from prunetune.models.checkpoint import CheckpointError
from prunetune.registry import models


@pytest.fixture
def hub(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2"])
def test_an_unknown_name_is_told_the_known_ones(name, hub):
    with pytest.raises(CheckpointError, match=f"{name} has no weights 'V9'; known: IMAGENET1K_V1"):
        models.get(name).part.published("V9")


def test_a_missing_file_is_named_where_nothing_may_be_downloaded(hub):
    with pytest.raises(CheckpointError) as caught:
        models.get("resnet18").part.published("IMAGENET1K_V1", download=False)
    assert str(hub / "resnet18-f37072fd.pth") in str(caught.value)


def test_a_file_that_is_not_what_its_name_says_is_refused(hub):
    (hub / "resnet18-f37072fd.pth").write_bytes(b"something else")
    with pytest.raises(
        CheckpointError, match=r"resnet18-f37072fd\.pth: SHA-256 is \w+, not the f3"
    ):
        models.get("resnet18").part.published("IMAGENET1K_V1")
