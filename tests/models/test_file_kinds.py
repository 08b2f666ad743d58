"""A file that is no checkpoint is refused in words that say what it seems to be."""

from __future__ import annotations

import io
import pickle
import zipfile

import numpy as np
import pytest
import torch
from torch import nn

from prunetune.models.file_kinds import kind_of_file
from prunetune.models.pretrained import WeightsFileError, load_state


def zipped(**files: str) -> bytes:
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return memory.getvalue()


def written(write) -> bytes:
    memory = io.BytesIO()
    write(memory)
    return memory.getvalue()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def script() -> bytes:
    return written(lambda memory: torch.jit.save(torch.jit.script(nn.Linear(2, 2)), memory))


FILES = {
    "an empty file": lambda: b"",
    "a pointer of Git LFS": lambda: b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\n",
    "an HTML page": lambda: b"\n<!DOCTYPE html>\n<html><body>Sign in</body></html>",
    "an XML document": lambda: b'<?xml version="1.0"?><Error>AccessDenied</Error>',
    "a JSON file": lambda: b'{"abcd":{"a": 1}}',  # its ninth byte is that of safetensors
    "a text file that begins with 'résumé": lambda: "résumé\n".encode() * 500,
    "a text file in UTF-16": lambda: "text".encode("utf-16"),
    "a zip archive with notes": lambda: zipped(notes="x"),
    "a torch file or a zip archive that is cut": lambda: zipped(notes="x" * 100)[:-30],
    "a TorchScript archive": script,
    "an archive of NumPy arrays": lambda: written(lambda f: np.savez(f, a=np.ones(3))),
    "a NumPy array": lambda: written(lambda f: np.save(f, np.ones(3))),
    "an ONNX file": lambda: b"\x08\x07\x12\x07pytorch\x1a\x052.0.0" + bytes(50),
    "an HDF5 file": lambda: b"\x89HDF\r\n\x1a\n" + bytes(50),
    "a pickle that PyTorch did not write": lambda: pickle.dumps({"weight": [1.0]}),
    "a file of zeros": lambda: bytes(500),
}


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_the_refusal_says_what_the_file_seems_to_be(kind, tmp_path):
    path = tmp_path / "weights.pt"
    path.write_bytes(FILES[kind]())
    with pytest.raises(WeightsFileError) as caught:
        load_state(path)
    assert f"weights.pt: refused, it seems to be {kind}" in str(caught.value)


@pytest.mark.parametrize("zip_format", [True, False])
def test_a_file_of_torch_is_no_other_kind(zip_format):
    state = {"weight": torch.ones(3)}
    data = written(lambda file: torch.save(state, file, _use_new_zipfile_serialization=zip_format))
    assert kind_of_file(data) is None
