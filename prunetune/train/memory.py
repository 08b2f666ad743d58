"""The most memory that a trial has held."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import torch


class PeakMemory:
    """The most memory held since construction, in bytes: the GPU's, else this process's own.

    A process's own mark only rises, so it is reset first where the system allows (Linux).
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
            return
        with suppress(OSError):  # not Linux, or not allowed: the mark is the whole process's then
            Path("/proc/self/clear_refs").write_text("5")

    def bytes(self) -> int | None:
        """The peak so far; None where it cannot be known."""
        if self._device.type == "cuda":
            return int(torch.cuda.max_memory_allocated(self._device))
        try:
            lines = Path("/proc/self/status").read_text().splitlines()
        except OSError:
            return None
        marks = [line for line in lines if line.startswith("VmHWM")]
        return int(marks[0].split()[1]) * 1024 if marks else None
