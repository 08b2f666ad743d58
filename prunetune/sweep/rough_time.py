"""Rough times of a sweep on devices where no such network was ever trained.

An epoch takes the arithmetic, the memory traffic of the activations (which grow with the pixels of
an image), and a fixed time a step. The constants are for ResNets in the precision that we train
with; those of a CPU core are measured (experiments/benchmarks), those of GPUs follow from published
throughputs of ResNet-50 and from memory bandwidths. Expect a factor of three either way.
"""

from __future__ import annotations

from dataclasses import dataclass

from prunetune.agenda import counts
from prunetune.config.parts import Params
from prunetune.config.recipe import steps_per_epoch
from prunetune.plan import BATCH_SIZE, Plan
from prunetune.records.record import training_macs


@dataclass(frozen=True)
class DeviceClass:
    """A kind of device, and how fast it trains."""

    name: str
    macs_per_second: float
    pixel_seconds: float
    """Seconds for each pixel of each image."""
    step_seconds: float
    """Seconds that a step takes at least: launching its kernels."""

    def epoch(self, plan: Plan, macs: int) -> float:
        """Seconds of an epoch of a network with `macs`."""
        pixels = 1
        for length in plan.dense.architecture["input_shape"][1:]:
            pixels *= length
        steps = steps_per_epoch(plan.train_size, plan.dense.config.get(BATCH_SIZE, 128))
        compute = training_macs(macs, plan.train_size) / self.macs_per_second
        return compute + plan.train_size * pixels * self.pixel_seconds + steps * self.step_seconds


CPU_CORE = DeviceClass("one CPU core", 6e10, 1.4e-6, 0.003)
DEVICE_CLASSES = (
    CPU_CORE,
    DeviceClass("small GPU (T4)", 5e12, 3e-8, 0.01),
    DeviceClass("desktop GPU (RTX 3080)", 1.2e13, 1.5e-8, 0.008),
    DeviceClass("A100", 3e13, 7e-9, 0.008),
    DeviceClass("H100, H200", 6e13, 3e-9, 0.006),
)


_TRIAL_S = 1.0
"""Seconds that a trial takes beside its epochs, at least: scoring, testing, files."""


class RoughTime(Params):
    """A sweep on a class of devices, within a factor of about three."""

    device: str
    dense_epochs_per_hour: float
    smallest_epochs_per_hour: float
    """Of the network with the fewest MACs in the plan."""
    seconds: float
    """Of the whole sweep, if trials run one at a time."""


def rough_times(plan: Plan) -> tuple[RoughTime, ...]:
    """The time of the whole plan on every class of devices."""
    smallest = min((plan.computed_macs(s) for s in plan.feasible()), default=plan.dense.macs)
    return tuple(
        RoughTime(
            device=device.name,
            dense_epochs_per_hour=3600 / device.epoch(plan, plan.dense.macs),
            smallest_epochs_per_hour=3600 / device.epoch(plan, smallest),
            seconds=_seconds(plan, device),
        )
        for device in DEVICE_CLASSES
    )


def seconds_on_cores(plan: Plan, cores: int) -> float:
    """Rough seconds of the whole plan with a trial on every one of so many CPU cores."""
    return _seconds(plan, CPU_CORE) / max(1, cores)


def _seconds(plan: Plan, device: DeviceClass) -> float:
    """Seconds of all epochs, if none is saved by early stopping."""
    amounts = counts(plan)
    trials = _TRIAL_S * amounts.total.total
    dense = amounts.dense.epochs + sum(each.sparsify_epochs for each in amounts.studies.values())
    return (
        trials
        + dense * device.epoch(plan, plan.dense.macs)
        + sum(
            amounts.studies[study.id].epochs * device.epoch(plan, plan.computed_macs(study))
            for study in plan.feasible()
        )
    )
