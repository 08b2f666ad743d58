"""The checkpoint of a training: a safetensors file, with all that is not a tensor as JSON in it."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from torch import Tensor

from prunetune.records.files import StoredFile
from prunetune.records.record import Epoch

Tensors = dict[str, Tensor]
"""Tensors by name."""
_METADATA_KEY = "prunetune.checkpoint"


class CheckpointError(ValueError):
    """A checkpoint is corrupt, or another training wrote it; the message names the file."""

    def __init__(self, file: StoredFile, reason: str) -> None:
        self.file = file
        super().__init__(f"{file}: {reason}")


class CheckpointMetadata(BaseModel):
    """What a checkpoint file holds beside tensors."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: int = 1
    identity: dict[str, Any]
    """What the training computes: epochs (and which of a longer training), recipe, seeds."""
    curve: tuple[Epoch, ...]
    best_epoch: int
    crc32: int
    """The checksum of all tensors in the order of their names."""


@dataclass(frozen=True)
class Checkpoint:
    """The state of a training after a whole epoch: all that is needed to go on."""

    identity: dict[str, Any]
    curve: tuple[Epoch, ...]
    best_epoch: int
    """The epoch that was best on validation; the section `best` has its weights."""
    sections: dict[str, Tensors]
    """`model`, `optimizer`, `best`, and `ema` and `hooks` if the training has them. Tensors of
    `hooks` are named `index.name`."""


@dataclass(frozen=True)
class CheckpointFile:
    """The file of a training's checkpoint. A reader sees the former or the new one, whole."""

    file: StoredFile

    @property
    def path(self) -> Path:
        """Where the file lies on this machine."""
        return self.file.path

    def write(self, checkpoint: Checkpoint) -> None:
        """Replace the file.

        Raises:
            StorageError: the file cannot be written.
        """
        tensors = {
            f"{section}/{name}": _plain(value)
            for section, state in checkpoint.sections.items()
            for name, value in state.items()
        }
        metadata = CheckpointMetadata(
            identity=checkpoint.identity,
            curve=checkpoint.curve,
            best_epoch=checkpoint.best_epoch,
            crc32=_crc32(tensors),
        )
        content = safetensors.torch.save(tensors, {_METADATA_KEY: metadata.model_dump_json()})
        self.file.write(content)

    def read(self) -> Checkpoint | None:
        """The checkpoint, on the CPU; None if there is no file.

        Raises:
            CheckpointError: the file is corrupt.
        """
        if not self.file.exists():
            return None
        tensors, metadata = self._load()
        sections: dict[str, Tensors] = {}
        for key, value in tensors.items():
            section, _, name = key.partition("/")
            sections.setdefault(section, {})[name] = value
        return Checkpoint(metadata.identity, metadata.curve, metadata.best_epoch, sections)

    def read_for(self, identity: Mapping[str, Any]) -> Checkpoint | None:
        """The checkpoint of the training with this identity; None if there is no file.

        Raises:
            CheckpointError: the file is corrupt, or another training wrote it.
        """
        checkpoint = self.read()
        if checkpoint is not None and checkpoint.identity != identity:
            names = sorted(checkpoint.identity.keys() | identity.keys())
            name = next(n for n in names if checkpoint.identity.get(n) != identity.get(n))
            raise self.refused(
                f"written by another training: its {name} is "
                f"{checkpoint.identity.get(name)!r}, here it is {identity.get(name)!r}"
            )
        return checkpoint

    def curve(self) -> list[Epoch]:
        """The epochs that are done; none if there is no file."""
        checkpoint = self.read()
        return list(checkpoint.curve) if checkpoint else []

    def best(self) -> tuple[int, Tensors] | None:
        """The epoch that was best on validation, and the weights that were validated after it."""
        checkpoint = self.read()
        return (checkpoint.best_epoch, checkpoint.sections["best"]) if checkpoint else None

    def refused(self, reason: str) -> CheckpointError:
        """The error that says why this file cannot be gone on from."""
        return CheckpointError(self.file, reason)

    def _load(self) -> tuple[Tensors, CheckpointMetadata]:
        content = self.file.read()
        try:
            tensors = safetensors.torch.load(content)
        except safetensors.SafetensorError as error:
            raise self.refused(f"not a whole safetensors file: {error}") from error
        texts = _metadata(content)
        if _METADATA_KEY not in texts:
            raise self.refused("not a checkpoint of prunetune")
        try:
            metadata = CheckpointMetadata.model_validate_json(texts[_METADATA_KEY])
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise self.refused(f"{where}: {first['msg']}") from error
        if metadata.crc32 != _crc32(tensors):
            raise self.refused("its tensors have changed since they were written")
        return tensors, metadata


def _metadata(content: bytes) -> dict[str, str]:
    """The texts in the header of a whole safetensors file; before it stands its length."""
    (length,) = struct.unpack_from("<Q", content)
    texts: dict[str, str] = json.loads(content[8 : 8 + length]).get("__metadata__", {})
    return texts


def _plain(value: Tensor) -> Tensor:
    """A contiguous copy on the CPU that shares no memory, as safetensors demands."""
    return torch.empty(value.shape, dtype=value.dtype).copy_(value.detach())


def _crc32(tensors: Tensors) -> int:
    crc = 0
    for name in sorted(tensors):
        crc = zlib.crc32(name.encode(), crc)
        crc = zlib.crc32(tensors[name].reshape(-1).view(torch.uint8).numpy().data, crc)
    return crc
