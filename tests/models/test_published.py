from __future__ import annotations

import re

import pytest
import torch

from prunetune.models.pretrained import WeightsFileError
from prunetune.models.published import current_name
from prunetune.registry import models


@pytest.fixture
def hub(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2"])
def test_an_unknown_name_is_told_the_known_ones(name, hub):
    with pytest.raises(WeightsFileError, match=f"{name} has no weights 'V9'; known: IMAGENET1K_V1"):
        models.get(name).part.published("V9")


def test_a_missing_file_is_named_where_nothing_may_be_downloaded(hub):
    with pytest.raises(WeightsFileError) as caught:
        models.get("resnet18").part.published("IMAGENET1K_V1", download=False)
    assert str(hub / "resnet18-f37072fd.pth") in str(caught.value)


def test_a_file_that_is_not_what_its_name_says_is_refused(hub):
    (hub / "resnet18-f37072fd.pth").write_bytes(b"something else")
    with pytest.raises(
        WeightsFileError, match=r"resnet18-f37072fd\.pth: SHA-256 is \w+, not the f3"
    ):
        models.get("resnet18").part.published("IMAGENET1K_V1")


@pytest.mark.parametrize("name", ["densenet121", "resnet18"])
def test_names_of_old_files_become_those_of_the_modules(name):
    entry = models.get(name)
    with torch.device("meta"):
        names = list(entry.part.build(entry.params(), 10, (3, 64, 64)).state_dict())
    old = [re.sub(r"(denselayer\d+\.)(norm|conv)([12])", r"\1\2.\3", n) for n in names]
    assert (old != names) == (name == "densenet121")
    assert [current_name(n) for n in old] == names
