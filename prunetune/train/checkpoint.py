"""The checkpoint of a training: one safetensors file, with what is not a tensor as JSON in it."""

from __future__ import annotations

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

State = dict[str, Tensor]
META = "prunetune.checkpoint"


class CheckpointError(ValueError):
    """A checkpoint that is corrupt, or that another training wrote; names the file."""


class Meta(BaseModel):
    """What a checkpoint holds beside tensors."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: int = 1
    identity: dict[str, Any]
    """What this training computes: epochs (and which of a longer training), recipe, seeds."""
    curve: tuple[Epoch, ...]
    best_epoch: int
    crc32: int
    """Over all tensors, by name."""


@dataclass(frozen=True)
class Checkpoint:
    """A training after a whole epoch: everything that it goes on from."""

    identity: dict[str, Any]
    curve: tuple[Epoch, ...]
    best_epoch: int
    """The epoch best on validation, whose weights are the section `best`."""
    sections: dict[str, State]
    """`model`, `optimizer`, `best` and, where there are such, `ema` and `hooks` (the memory of each
    as `index.name`)."""


@dataclass(frozen=True)
class CheckpointFile:
    """Where a training's checkpoint lies. A reader sees the former one or the new one whole."""

    file: StoredFile

    @property
    def path(self) -> Path:
        """Where the file lies on this machine."""
        return self.file.path

    def write(self, checkpoint: Checkpoint) -> None:
        """Replace the file; StorageError where that fails."""
        tensors = {
            f"{section}/{name}": _plain(value)
            for section, state in checkpoint.sections.items()
            for name, value in state.items()
        }
        meta = Meta(
            identity=checkpoint.identity,
            curve=checkpoint.curve,
            best_epoch=checkpoint.best_epoch,
            crc32=_crc32(tensors),
        )
        content = safetensors.torch.save(tensors, {META: meta.model_dump_json()})
        self.file.write(content)

    def read(self) -> Checkpoint | None:
        """The checkpoint, on the CPU; None where there is no file; CheckpointError if corrupt."""
        if not self.file.exists():
            return None
        tensors, meta = self._load()
        sections: dict[str, State] = {}
        for key, value in tensors.items():
            section, _, name = key.partition("/")
            sections.setdefault(section, {})[name] = value
        return Checkpoint(meta.identity, meta.curve, meta.best_epoch, sections)

    def read_for(self, identity: Mapping[str, Any]) -> Checkpoint | None:
        """`read`, but CheckpointError if another training wrote the file."""
        checkpoint = self.read()
        if checkpoint is not None and checkpoint.identity != identity:
            names = sorted(checkpoint.identity.keys() | identity.keys())
            name = next(n for n in names if checkpoint.identity.get(n) != identity.get(n))
            raise CheckpointError(
                f"{self.path}: written by another training: its {name} is "
                f"{checkpoint.identity.get(name)!r}, here it is {identity.get(name)!r}"
            )
        return checkpoint

    def curve(self) -> list[Epoch]:
        """The epochs that are done; none where there is no file."""
        checkpoint = self.read()
        return list(checkpoint.curve) if checkpoint else []

    def best(self) -> tuple[int, State] | None:
        """The epoch best on validation and the weights that were validated there."""
        checkpoint = self.read()
        return (checkpoint.best_epoch, checkpoint.sections["best"]) if checkpoint else None

    def _load(self) -> tuple[State, Meta]:
        try:
            with safetensors.safe_open(self.path, framework="pt") as file:
                metadata = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (safetensors.SafetensorError, OSError) as error:
            raise CheckpointError(f"{self.path}: not a whole safetensors file: {error}") from error
        if META not in metadata:
            raise CheckpointError(f"{self.path}: not a checkpoint of prunetune")
        try:
            meta = Meta.model_validate_json(metadata[META])
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise CheckpointError(f"{self.path}: {where}: {first['msg']}") from error
        if meta.crc32 != _crc32(tensors):
            raise CheckpointError(f"{self.path}: its tensors are not those that were written")
        return tensors, meta


def _plain(value: Tensor) -> Tensor:
    """A contiguous copy on the CPU, its memory its own: the only tensors that safetensors takes."""
    return torch.empty(value.shape, dtype=value.dtype).copy_(value.detach())


def _crc32(tensors: State) -> int:
    crc = 0
    for name in sorted(tensors):
        crc = zlib.crc32(name.encode(), crc)
        crc = zlib.crc32(tensors[name].reshape(-1).view(torch.uint8).numpy().data, crc)
    return crc
