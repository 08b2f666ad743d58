from __future__ import annotations

import mmap

import pytest
import torch

from prunetune.registry import models
from prunetune.train.device import autocast, pick_device, precision, precision_name, prepare
from prunetune.train.memory import PeakMemory
from tests.train.conftest import CPU


def test_convolutions_compute_in_the_dtype_of_training() -> None:
    dtype = precision(CPU)
    assert precision_name(CPU) == {torch.bfloat16: "bfloat16", torch.float32: "float32"}[dtype]
    x, convolution = torch.randn(1, 3, 4, 4), torch.nn.Conv2d(3, 2, 1)
    for asked in (torch.float32, torch.bfloat16):
        with autocast(CPU, asked):
            assert convolution(x).dtype == asked


def test_auto_is_a_gpu_where_there_is_one() -> None:
    assert pick_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    assert pick_device("cpu") == CPU
    with pytest.raises(RuntimeError, match="gpu"):
        pick_device("gpu")


@pytest.mark.parametrize("name", ["resnet20", "resnet18"])
@pytest.mark.parametrize("training", [False, True])
def test_a_prepared_network_computes_what_it_did(name: str, training: bool) -> None:
    torch.manual_seed(0)
    entry = models.get(name)
    shape = (3, 32, 32) if name == "resnet20" else (3, 64, 64)
    model = entry.part.build(entry.params(), 10, shape).double().train(training)
    x = torch.randn(4, *shape, dtype=torch.float64)
    names = list(model.state_dict())
    with torch.no_grad():
        before = model(x)
        torch.testing.assert_close(prepare(model, CPU)(x), before, rtol=1e-9, atol=1e-9)
    assert list(model.state_dict()) == names
    assert prepare(model, CPU) is model


def test_peak_memory_sees_a_large_tensor_come_and_go() -> None:
    peak = PeakMemory(CPU)
    before = peak.bytes()
    # Pages of its own: the allocator may hand out memory that the process holds already.
    torch.frombuffer(mmap.mmap(-1, 64 * 2**20), dtype=torch.uint8).fill_(1)
    after = peak.bytes()
    if before is None or after is None:
        pytest.skip("this system does not tell")
    assert after - before >= 48 * 2**20
