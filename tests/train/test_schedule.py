from __future__ import annotations

import math

import pytest
import torch

from prunetune.config.parts import Named
from prunetune.registry import schedules
from prunetune.train.schedule import build_schedule

STEPS, PER_EPOCH = 120, 10


def factors(name: str, steps: int = STEPS, **params: object) -> list[float]:
    schedule = build_schedule(Named(name=name, params=params))
    return [schedule(step, steps, PER_EPOCH) for step in range(steps)]


def torchs(make: object, steps: int = STEPS) -> list[float]:
    """The same schedule as PyTorch computes it, step by step."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler, values = make(optimizer), []  # type: ignore[operator]
    for _ in range(steps):
        values.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return values


def test_cosine_equals_pytorchs() -> None:
    expected = torchs(lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, STEPS))
    assert factors("cosine") == pytest.approx(expected, abs=1e-12)


def test_one_cycle_equals_pytorchs() -> None:
    expected = torchs(
        lambda o: torch.optim.lr_scheduler.OneCycleLR(o, 1.0, STEPS, cycle_momentum=False)
    )
    assert factors("one_cycle") == pytest.approx(expected, abs=1e-12)


def test_multistep_equals_pytorchs() -> None:
    expected = torchs(lambda o: torch.optim.lr_scheduler.MultiStepLR(o, [60, 90], 0.1))
    assert factors("multistep") == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("name", schedules.names())
@pytest.mark.parametrize("warmup", [0, 0.5, 2, 12, 50])
@pytest.mark.parametrize("steps", [1, 2, 30, STEPS])
def test_every_schedule_is_a_factor_at_every_step(name: str, warmup: float, steps: int) -> None:
    values = factors(name, steps, warmup_epochs=warmup)
    assert all(0 < value <= 1 for value in values)


@pytest.mark.parametrize("name", ["cosine", "multistep", "constant"])
def test_warm_up_rises_linearly_to_the_full_learning_rate(name: str) -> None:
    values = factors(name, warmup_epochs=2)
    assert values[:20] == pytest.approx([(step + 1) / 20 for step in range(20)])


def test_one_cycle_peaks_where_the_warm_up_ends() -> None:
    values = factors("one_cycle", warmup_epochs=3)
    assert values[29] == 1.0 == max(values)
    assert values[0] == pytest.approx(0.04)
    assert values[-1] == pytest.approx(4e-6)
    assert values[:30] == sorted(values[:30])
    assert values[29:] == sorted(values[29:], reverse=True)


def test_cosine_after_a_warm_up_is_a_shorter_cosine() -> None:
    values = factors("cosine", warmup_epochs=2)
    closed = [(1 + math.cos(math.pi * t / 100)) / 2 for t in range(100)]
    assert values[20:] == pytest.approx(closed, abs=1e-12)


def test_the_constant_schedule_is_constant() -> None:
    assert set(factors("constant")) == {1.0}
