"""A timing process: `python -m prunetune.deploy.latency.worker` reads a job, prints its answer.

All networks are in memory. At each batch they take turns, one call each in an order that changes
from round to round, so that whatever else the machine does hits all of them alike.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor, nn

from prunetune.compress.network.rebuild import fresh
from prunetune.deploy.latency.job import Answer, Measured, NetworkFile, TimingJob
from prunetune.deploy.latency.resources import device_name, energy_per_image, peak_memory
from prunetune.records.versions import versions
from prunetune.registry import load_plugins, make_importable
from prunetune.workload import load_network

_WARM_UP_S, _WARM_UP_CALLS = 0.2, 3
_FEWEST, _MOST = 5, 1000
"""Calls of one network at one batch in one process."""


def time_networks(job: TimingJob) -> Answer:
    """Time the networks of a job in this process."""
    torch.set_num_threads(job.threads)
    device = torch.device(job.device)
    models = {network.key: _loaded(network, job, device) for network in job.networks}
    sizes = {
        key: len(safetensors.torch.save({n: t.contiguous() for n, t in _state(model).items()}))
        for key, model in models.items()
    }
    shapes = {network.key: network.architecture.input_shape for network in job.networks}
    return Answer(
        device=device_name(device),
        measured=tuple(m for batch in job.batches for m in _at(job, batch, models, shapes)),
        file_bytes=sizes,
        versions=versions(),
    )


def _at(
    job: TimingJob,
    batch: int,
    models: dict[str, nn.Module],
    shapes: dict[str, tuple[int, int, int]],
) -> Iterator[Measured]:
    """All networks at one batch."""
    calls: dict[str, Callable[[], object]] = {}
    images: dict[str, Tensor] = {}
    for key, model in models.items():
        images[key] = _images(job, batch, shapes[key])
        calls[key] = _call(model, images[key])
    slowest = max(_warm_up(call) for call in calls.values())
    rounds = min(max(round(job.seconds / slowest), _FEWEST), _MOST)
    seconds: dict[str, list[float]] = {key: [] for key in calls}
    order, turns = list(calls), random.Random(job.seed)
    for _ in range(rounds):
        turns.shuffle(order)
        for key in order:
            begun = time.perf_counter()
            calls[key]()
            seconds[key].append(time.perf_counter() - begun)
    for key, call in calls.items():
        yield Measured(
            key=key,
            batch=batch,
            seconds=tuple(seconds[key]),
            peak_memory_bytes=peak_memory(models[key], images[key], call) if job.memory else None,
            energy_j_per_image=energy_per_image(images[key], call) if job.memory else None,
        )


def _loaded(network: NetworkFile, job: TimingJob, device: torch.device) -> nn.Module:
    """The network as it is timed; a state dict that is read keeps float32 on disk."""
    if network.weights is None:
        model = fresh(network.architecture, job.seed)
    else:
        model = load_network(network.architecture, Path(network.weights))
    placed: nn.Module = model.eval().to(
        device,
        _dtype(job),
        memory_format=_format(job),  # type: ignore[call-overload]
    )
    return placed


def _state(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.cpu() for name, tensor in model.state_dict().items()}


def _images(job: TimingJob, batch: int, shape: tuple[int, int, int]) -> Tensor:
    made = torch.randn(batch, *shape, generator=torch.Generator().manual_seed(job.seed))
    return made.to(job.device, _dtype(job), memory_format=_format(job))


def _call(model: nn.Module, images: Tensor) -> Callable[[], object]:
    """One forward pass, from the images on the device to the logits on it."""
    on_gpu = images.device.type == "cuda"

    def call() -> object:
        with torch.inference_mode():
            logits = model(images)
        if on_gpu:
            torch.cuda.synchronize()
        return logits

    return call


def _warm_up(call: Callable[[], object]) -> float:
    """Seconds of the fastest call, after kernels were chosen and caches filled."""
    fastest, begun, count = float("inf"), time.perf_counter(), 0
    while count < _WARM_UP_CALLS or time.perf_counter() - begun < _WARM_UP_S:
        before = time.perf_counter()
        call()
        fastest, count = min(fastest, time.perf_counter() - before), count + 1
    return fastest


def _dtype(job: TimingJob) -> torch.dtype:
    dtype: torch.dtype = getattr(torch, job.dtype)
    return dtype


def _format(job: TimingJob) -> torch.memory_format:
    channels_last = job.memory_format == "channels_last"
    return torch.channels_last if channels_last else torch.contiguous_format


if __name__ == "__main__":
    told = TimingJob.model_validate(json.load(sys.stdin))
    make_importable(told.folders)
    load_plugins(told.plugins)
    print(time_networks(told).model_dump_json())
