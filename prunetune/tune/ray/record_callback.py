"""Ray's callback: passes results, ends and errors of trials to the driver."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ray.tune import Callback
from ray.tune.experiment import Trial

from prunetune.messages import repeat
from prunetune.tune import faults
from prunetune.tune.driver import Driver
from prunetune.tune.ray.leaving import LeavingNodes
from prunetune.tune.ray.trainable import FAULT, unpack, words

_ESCAPE = re.compile(r"\x1b\[\d*m")
"""The codes that colour Ray's messages."""


class RecordCallback(Callback):  # type: ignore[misc]
    """Closes trials: the driver writes the record before any observer hears of the end."""

    def __init__(self, driver: Driver, leaving: LeavingNodes) -> None:
        self._driver, self._leaving = driver, leaving
        self._ended: Trial | None = None

    def on_trial_result(
        self, iteration: int, trials: list[Trial], trial: Trial, result: dict[str, Any], **info: Any
    ) -> None:
        """Pass a report on: a trial's last one comes only here, others to the scheduler too."""
        for level, text in words(result):
            repeat(level, text, f"trial {trial.config['key']}")
        with self._driver.guarded():
            self._driver.report(trial.config["key"], unpack(result))

    def on_trial_complete(
        self, iteration: int, trials: list[Trial], trial: Trial, **info: Any
    ) -> None:
        """Close a trial that ended by itself or was stopped."""
        with self._driver.guarded():
            self._driver.complete(trial.config["key"])
        self._forget(trial)

    def on_trial_error(
        self, iteration: int, trials: list[Trial], trial: Trial, **info: Any
    ) -> None:
        """Report a trial that raised or whose actor died."""
        with self._driver.guarded():
            fault = self._leaving.fault_of(trial) or fault_of(trial)
            self._driver.fault(trial.config["key"], fault)
        self._forget(trial)

    def _forget(self, trial: Trial) -> None:
        """Drop what Tune keeps of a trial that has ended, for a summary that nobody reads.

        What it must have, all ended trials share; thousands of copies would fill the memory.
        """
        if self._ended is None:
            self._ended = trial
            trial.run_metadata.last_result = {"done": True}  # an empty one would be asked for
        trial.run_metadata, trial.storage = self._ended.run_metadata, self._ended.storage
        trial.evaluated_params, trial.experiment_tag = {}, ""
        trial._default_result_or_future = None  # keeps an object of Ray's


def fault_of(trial: Trial) -> faults.Fault:
    """Why a trial broke off, from its worker's last report and from Tune's error text."""
    text = _ESCAPE.sub("", Path(trial.error_file).read_text())
    description = (trial.last_result or {}).get(FAULT)
    return faults.lost(text) if description is None else faults.raised(description, text)
