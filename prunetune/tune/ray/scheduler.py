"""Ray's scheduler: asks the driver whether a trial goes on, and which trial starts next."""

from __future__ import annotations

from collections import deque
from typing import Any

from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from prunetune.tune.driver import Driver
from prunetune.tune.gpu_shares import GpuShares
from prunetune.tune.ray.leaving import LeavingNodes
from prunetune.tune.ray.trainable import GPU_BYTES, unpack


class RungScheduler(FIFOScheduler):  # type: ignore[misc]
    """Stops trials by the driver's rule, and starts them without wasting actors."""

    def __init__(self, driver: Driver, leaving: LeavingNodes, shares: GpuShares) -> None:
        super().__init__()
        self._driver, self._leaving, self._shares = driver, leaving, shares
        self._unstarted: deque[Trial] = deque()

    def on_trial_add(self, tune_controller: Any, trial: Trial) -> None:
        """Remember a trial for which no actor was requested yet."""
        self._unstarted.append(trial)

    def choose_trial_to_run(self, tune_controller: Any) -> Trial | None:
        """The oldest trial for which no actor was requested, else None.

        FIFO returns the oldest pending trial again and again, also while its actor starts. Tune
        then gives that trial a free actor and cancels the starting one, so with trials shorter
        than an actor's start the second slot never runs.
        """
        while self._unstarted:
            trial = self._unstarted.popleft()
            if trial.status == Trial.PENDING:
                return trial
        return None

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        """STOP if the rung rule says so, else CONTINUE. Tune calls this before the callback."""
        with self._driver.guarded():
            report = unpack(result)
            self._shares.observe(trial.config["study"], report, result.get(GPU_BYTES))
            if self._driver.report(trial.config["key"], report):
                return str(TrialScheduler.STOP)
            self._leaving.move(trial, result)
        return str(TrialScheduler.CONTINUE)
