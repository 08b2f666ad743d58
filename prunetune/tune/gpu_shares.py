"""Shares of a GPU, from the memory that trials were seen to use.

Before anything is measured, a trial gets the share that the CPUs allow. A trial that reports more
memory than its share has room for makes the shares of its study larger, from the next trial on.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from prunetune.tune.resources import TrialShare

CONTEXT_BYTES = 600_000_000
"""What a process holds of a GPU beside its tensors: CUDA's context and kernels."""
MARGIN = 1.25
"""The allocator reserves more than the tensors of the peak, in blocks that do not fit exactly."""


class GpuShares:
    """The share of each trial, by its study; dense networks are a study of their own."""

    def __init__(self, part: TrialShare, *, fixed: bool) -> None:
        self._part, self._fixed = part, fixed
        self._peaks: dict[str | None, int] = {}
        self._gpu_bytes: int | None = None

    def observe(self, study: str | None, report: Mapping[str, Any], gpu_bytes: int | None) -> None:
        """Take a report of a trial that runs on a GPU of so many bytes; None: it uses none."""
        peak = report.get("peak_memory_bytes")
        if gpu_bytes is None or peak is None:
            return
        self._gpu_bytes = min(gpu_bytes, self._gpu_bytes or gpu_bytes)
        self._peaks[study] = max(peak, self._peaks.get(study, 0))

    def of(self, study: str | None) -> float:
        """The share for the next trial of the study; one never seen counts as the largest seen."""
        if self._fixed or not self._part.gpus or self._gpu_bytes is None:
            return self._part.gpus
        peak = self._peaks.get(study, max(self._peaks.values()))
        fit = max(1, int(self._gpu_bytes / (MARGIN * peak + CONTEXT_BYTES)))
        return max(self._part.gpus, math.floor(1e4 / fit) / 1e4)  # Ray's smallest unit

    def largest(self) -> TrialShare:
        """The resources of the trial that needs most, by which slots are counted."""
        gpus = max([self._part.gpus, *(self.of(study) for study in self._peaks)])
        return TrialShare(self._part.cpus, gpus)
