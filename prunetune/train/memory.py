"""The peak memory of a trial."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import torch


class PeakMemory:
    """The most memory held since this object was made: a GPU's, or else this process's.

    A process's peak only rises, so it is reset first, if the system allows that (Linux does).
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
            return
        with suppress(OSError):  # not Linux, or not allowed: the peak is the whole process's
            Path("/proc/self/clear_refs").write_text("5")

    def bytes(self) -> int | None:
        """The peak so far in bytes; None if the system does not tell."""
        if self._device.type == "cuda":
            return int(torch.cuda.max_memory_allocated(self._device))
        try:
            lines = Path("/proc/self/status").read_text().splitlines()
        except OSError:
            return None
        peaks = [line for line in lines if line.startswith("VmHWM")]
        return int(peaks[0].split()[1]) * 1024 if peaks else None
