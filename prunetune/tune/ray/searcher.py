"""Ray's searcher: hands out the trials that the driver deals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ray.tune.search import Searcher

from prunetune.agenda import Deal, Wait
from prunetune.tune.driver import Driver
from prunetune.tune.gpu_shares import GpuShares


class AgendaSearcher(Searcher):  # type: ignore[misc]
    """Hands Tune the trials that are due.

    None means "nothing now"; Tune would hang if it came while nothing runs. An exception would kill
    the run, so the driver keeps it and the search ends.
    """

    def __init__(self, driver: Driver, slots: Callable[[], int], shares: GpuShares) -> None:
        super().__init__()
        self._driver, self._slots, self._shares = driver, slots, shares

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Tune pickles its searcher; we never read that."""
        return {}

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """The next trial, None to wait, or FINISHED.

        Tune makes several copies of a configuration and keeps them, so it gets no more than the
        trial's key; the worker reads the trial in the storage.
        """
        with self._driver.guarded():
            self._driver.slots = self._slots()
            due = self._driver.deal()
            if isinstance(due, Deal):
                gpus = self._shares.of(due.spec.study)
                return {"key": due.spec.key, "study": due.spec.study, "gpus": gpus}
            if isinstance(due, Wait):
                return None
        return str(Searcher.FINISHED)

    def set_max_concurrency(self, max_concurrent: int) -> bool:
        """Accept; otherwise Tune would wrap a limiter around this searcher."""
        return True

    def set_search_properties(self, *args: Any, **kwargs: Any) -> bool:
        """Accept that there is no metric, because the driver judges curves itself."""
        return True

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Nothing: Tune calls the callback next, which knows the error, before any `suggest`."""

    def save(self, checkpoint_path: str) -> None:
        """Nothing: records are the state."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing: records are the state."""
