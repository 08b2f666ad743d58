"""What a call takes besides time: memory as the allocator counts it, and energy as NVML does."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from platform import machine, processor

import torch
from torch import Tensor, nn

_ENERGY_S = 1.0
"""How long a GPU works for one reading: its counter moves every few milliseconds."""


def device_name(device: torch.device) -> str:
    """The model of a GPU, or of this machine's CPU."""
    if device.type == "cuda":
        return str(torch.cuda.get_device_name(device))
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:  # not Linux
        lines = []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return next(iter(models), processor() or machine())


def peak_memory(model: nn.Module, images: Tensor, call: Callable[[], object]) -> int:
    """Bytes of weights, input and all else that is allocated at the peak of one call."""
    held: int = sum(t.numel() * t.element_size() for t in (*model.state_dict().values(), images))
    if images.device.type == "cuda":
        torch.cuda.synchronize()
        before = torch.cuda.memory_allocated(images.device)
        torch.cuda.reset_peak_memory_stats(images.device)
        call()
        torch.cuda.synchronize()
        return held + int(torch.cuda.max_memory_allocated(images.device) - before)
    with torch.profiler.profile(
        activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True
    ) as profile:
        call()
    results = profile.profiler.kineto_results if profile.profiler else None
    events = results.events() if results else []
    current = peak = 0
    for event in sorted(events, key=lambda e: e.start_ns()):
        if event.name() == "[memory]":
            current += event.nbytes()
            peak = max(peak, current)
    return held + int(peak)


def energy_per_image(images: Tensor, call: Callable[[], object]) -> float | None:
    """Joules that a GPU draws per image while it does nothing but such calls; None: not told."""
    if images.device.type != "cuda":
        return None
    try:
        import pynvml

        pynvml.nvmlInit()
        handle = pynvml.nvmlDeviceGetHandleByUUID(f"GPU-{_uuid(images.device)}")
        count = 0
        torch.cuda.synchronize()
        before, begun = pynvml.nvmlDeviceGetTotalEnergyConsumption(handle), time.perf_counter()
        while time.perf_counter() - begun < _ENERGY_S:
            call()
            torch.cuda.synchronize()
            count += len(images)
        joules: float = (pynvml.nvmlDeviceGetTotalEnergyConsumption(handle) - before) / 1000
    except Exception:  # no package, no driver, no counter, or no right to read it
        return None
    return joules / count


def _uuid(device: torch.device) -> str:
    return str(torch.cuda.get_device_properties(device).uuid)
