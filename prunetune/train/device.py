"""Devices: which one to use, the dtype it trains in, its memory layout, its kernels."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache

import torch
from torch import nn

from prunetune.train.batchnorm import fold_batch_norms
from prunetune.train.small_maps import guard_strided_convolutions


def pick_device(name: str) -> torch.device:
    """The device called `name`; `auto` is a GPU where this process sees one.

    Call it before anything runs on a GPU: cuBLAS then reads whether its results must be repeatable.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name.startswith("cuda"):
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    return torch.device(name)


@cache
def precision(device: torch.device) -> torch.dtype:
    """The dtype of convolutions and matrix products in training; weights are always float32.

    bfloat16 if the device computes in it natively: GPUs since Ampere, CPUs with AVX512_BF16 or AMX
    (2.8 times as fast as float32). Other devices emulate bfloat16, more slowly than float32.
    """
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        native = device.type == "cpu" and torch.cpu._is_avx512_bf16_supported()
    return torch.bfloat16 if native else torch.float32


def precision_name(device: torch.device) -> str:
    """`precision` as records write it: `bfloat16`, `float32`."""
    return str(precision(device)).removeprefix("torch.")


def autocast(device: torch.device, dtype: torch.dtype) -> torch.autocast:
    """A context in which convolutions and matrix products compute in `dtype`."""
    return torch.autocast(device.type, dtype, enabled=dtype != torch.float32)


def prepare(model: nn.Module, device: torch.device) -> nn.Module:
    """The same model on `device`, in the memory layout in which its convolutions are fastest.

    The state dict does not change, nor do the outputs but for the order of sums.
    """
    model = model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    if device.type != "cpu":
        return model
    return guard_strided_convolutions(fold_batch_norms(model))


@contextmanager
def kernels(device: torch.device, *, deterministic: bool) -> Iterator[None]:
    """A context in which a GPU's kernels repeat their results to the bit, or are the fastest.

    On a CPU there is no choice: one thread repeats its results anyway.
    """
    if device.type != "cuda":
        yield
        return
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(deterministic)
    try:
        with torch.backends.cudnn.flags(
            enabled=True, benchmark=not deterministic, deterministic=deterministic
        ):
            yield
    finally:
        torch.use_deterministic_algorithms(before)


def true_float32() -> AbstractContextManager[None]:
    """A context in which a GPU's convolutions repeat their results and do not use TF32."""
    return torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False)
