"""Ray tells what happened; the driver writes it down."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ray import cloudpickle
from ray.exceptions import RayActorError
from ray.tune import Callback
from ray.tune.experiment import Trial

from prunetune.tune.driver import Driver, Fault
from prunetune.tune.ray.trainable import unpack

COLOR = re.compile(r"\x1b\[\d*m")


class RecordCallback(Callback):  # type: ignore[misc]
    """Closes trials: the driver writes the record before anybody else hears of the end."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    def on_trial_result(
        self, iteration: int, trials: list[Trial], trial: Trial, result: dict[str, Any], **info: Any
    ) -> None:
        """The last report of a trial comes only here, the others to the scheduler as well."""
        with self._driver.guarded():
            self._driver.report(trial.config["key"], unpack(result))

    def on_trial_complete(
        self, iteration: int, trials: list[Trial], trial: Trial, **info: Any
    ) -> None:
        """A trial ended by itself or was stopped."""
        with self._driver.guarded():
            self._driver.complete(trial.config["key"])

    def on_trial_error(
        self, iteration: int, trials: list[Trial], trial: Trial, **info: Any
    ) -> None:
        """A trial raised, or its actor died."""
        with self._driver.guarded():
            self._driver.fault(trial.config["key"], fault_of(trial))


def fault_of(trial: Trial) -> Fault:
    """What went wrong in a trial, from the files in which Tune keeps it."""
    text = COLOR.sub("", Path(trial.error_file).read_text())
    pickled = trial.pickled_error_file
    error = cloudpickle.loads(Path(pickled).read_bytes()) if pickled else None
    if isinstance(error, RayActorError):
        return Fault("the worker died", text, preempted=error.preempted)
    cause = getattr(error, "cause", error)
    if isinstance(cause, BaseException):
        first = str(cause).strip().partition("\n")[0]
        return Fault(f"{type(cause).__name__}: {first}", text, cause=cause)
    return Fault(text.strip().splitlines()[-1], text)
