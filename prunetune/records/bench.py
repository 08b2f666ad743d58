"""How fast a network is on one device: stored beside the records, as bench/<key>/<device>.json."""

from __future__ import annotations

import logging
import re
from typing import Literal, NamedTuple

from pydantic import Field, ValidationError

from prunetune.records.files import StoredFile
from prunetune.records.record import Frozen

_log = logging.getLogger(__name__)

MemoryFormat = Literal["channels_last", "contiguous"]


class Conditions(NamedTuple):
    """What a time depends on besides the network; only times of equal conditions compare."""

    device: str
    """A CPU's or GPU's model."""
    threads: int
    dtype: str
    memory_format: str

    def __str__(self) -> str:
        threads = f"{self.threads} thread{'s' * (self.threads != 1)}"
        return f"{self.device}, {threads}, {self.dtype}, {self.memory_format.replace('_', ' ')}"


class Timing(Frozen):
    """The time of one call, an image batch in and logits out, over fresh processes."""

    batch: int
    threads: int
    dtype: str
    memory_format: MemoryFormat
    median_s: float
    """The median over processes of each process's median."""
    p90_s: float
    """The 90th percentile of all calls of all processes."""
    process_medians: tuple[float, ...]
    calls: int
    """Calls of all processes together, those of the warm-up not counted."""
    peak_memory_bytes: int | None = None
    """Weights, input and all that the allocator gave out besides at the peak of one call."""
    energy_j_per_image: float | None = None
    """What the GPU drew, as NVML counts it; None where it does not tell."""
    weights: Literal["trained", "initial"]
    """Initial ones where the trial kept none; times hardly depend on them."""
    versions: dict[str, str] = Field(default_factory=dict)
    measured_at: str
    """ISO 8601 in UTC."""

    @property
    def setting(self) -> tuple[int, int, str, str]:
        """What tells it from other times of the same network on the same device."""
        return (self.batch, self.threads, self.dtype, self.memory_format)


class Bench(Frozen):
    """All times of one network on one device."""

    schema_: int = Field(default=1, alias="schema")
    key: str
    device: str
    macs: int | None
    params: int | None
    file_bytes: int
    """Size of the network's state dict as safetensors."""
    timings: tuple[Timing, ...]

    def conditions(self, timing: Timing) -> Conditions:
        """What a time of this network depends on besides the network and the batch."""
        return Conditions(self.device, timing.threads, timing.dtype, timing.memory_format)

    def with_timings(self, new: tuple[Timing, ...]) -> Bench:
        """With new times; they replace those of the same settings."""
        settings = {timing.setting for timing in new}
        kept = [timing for timing in self.timings if timing.setting not in settings]
        ordered = sorted([*kept, *new], key=lambda timing: timing.setting)
        return self.model_copy(update={"timings": tuple(ordered)})


def read_bench(file: StoredFile) -> Bench | None:
    """The times in a file; None, and a warning, if it is damaged."""
    try:
        return Bench.model_validate_json(file.read())
    except ValidationError:
        _log.warning("%s is damaged and left out; `prunetune bench` makes it anew", file)
        return None


def device_slug(device: str) -> str:
    """A device's name as that of a file."""
    return re.sub(r"[^A-Za-z0-9]+", "-", device).strip("-") or "device"
