"""What a timing process is told, and what it answers; both travel as JSON."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from prunetune.records.architecture import Architecture
from prunetune.records.bench import MemoryFormat


class Message(BaseModel):
    """Base of what travels."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class NetworkFile(Message):
    """A network as data."""

    key: str
    architecture: Architecture
    weights: str | None
    """A safetensors file on this machine; None: initial weights."""


class TimingJob(Message):
    """The networks to time, and how."""

    networks: tuple[NetworkFile, ...]
    batches: tuple[int, ...]
    device: str
    """`cpu`, `cuda`, …"""
    threads: int
    dtype: str
    memory_format: MemoryFormat
    seconds: float
    """How long each network is timed at each batch, about."""
    seed: int
    """Of the images, and of the order in which networks take turns."""
    memory: bool
    """Whether peak memory and energy are measured as well."""
    plugins: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    """Folders in which the plug-ins lie."""


class Measured(Message):
    """One network at one batch in one process."""

    key: str
    batch: int
    seconds: tuple[float, ...]
    """Of each call."""
    peak_memory_bytes: int | None = None
    energy_j_per_image: float | None = None


class Answer(Message):
    """All that one process measured."""

    device: str
    """The device's model."""
    measured: tuple[Measured, ...]
    file_bytes: dict[str, int]
    """Key -> size of the state dict as safetensors."""
    versions: dict[str, str]
