"""Ray asks whether a trial goes on; the driver's rule over curves decides."""

from __future__ import annotations

from collections import deque
from typing import Any

from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from prunetune.tune.driver import Driver
from prunetune.tune.ray.trainable import unpack


class RungScheduler(FIFOScheduler):  # type: ignore[misc]
    """Continues or stops trials, and starts them without wasting actors."""

    def __init__(self, driver: Driver) -> None:
        super().__init__()
        self._driver = driver
        self._fresh: deque[Trial] = deque()

    def on_trial_add(self, tune_controller: Any, trial: Trial) -> None:
        """Remember a trial that no actor was asked for yet."""
        self._fresh.append(trial)

    def choose_trial_to_run(self, tune_controller: Any) -> Trial | None:
        """The oldest trial for which no actor was asked, else none.

        FIFO names the oldest pending trial again and again, also while its actor starts; Tune then
        gives it a free actor and cancels the starting one. With trials shorter than an actor's
        start, a second slot never comes to life.
        """
        while self._fresh:
            trial = self._fresh.popleft()
            if trial.status == Trial.PENDING:
                return trial
        return None

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        """CONTINUE, or STOP where the rung rule says so. Tune asks here before the callback."""
        with self._driver.guarded():
            if self._driver.report(trial.config["key"], unpack(result)):
                return str(TrialScheduler.STOP)
        return str(TrialScheduler.CONTINUE)
