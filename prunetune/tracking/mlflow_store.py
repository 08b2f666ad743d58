"""MlflowStore: a sweep as it is seen in MLflow, written by a thread of its own.

Records are the truth and MLflow is derived: the driver only drops its news here and goes on, and a
server that is down, slow or restarted costs the sweep nothing but one warning. What could not be
written when the sweep ends follows when its records are replayed (`sync`).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prunetune.plan import Plan
from prunetune.records.record import Epoch, Record, TrialSpec
from prunetune.tracking.backlog import Backlog, Confirmed, Ended, Progress, Reported, Won, Work
from prunetune.tracking.environment import (
    artifact_location,
    configure_environment,
    store_uri,
    without_password,
)
from prunetune.tracking.layout import StudyResult

if TYPE_CHECKING:
    import numpy as np

    from prunetune.tracking.writer import Writer

GATHER_S = 1.0
"""News gathers this long between two writes."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0
"""Between attempts to reach a server that is away, doubling."""
TRIES = 3
"""Of a request that MLflow refuses, each after reading anew what it holds."""

REFUSALS = frozenset({"INVALID_PARAMETER_VALUE", "BAD_REQUEST", "RESOURCE_ALREADY_EXISTS"})
"""MLflow's words for a request that is itself at fault."""

log = logging.getLogger(__name__)


class MlflowStore:
    """An observer of a sweep that keeps MLflow up to date; its calls return at once, never raise.

    Args:
        plan: the sweep.
        uri: MLflow's tracking URI; None: a SQLite file under `storage`.
        storage: where the default store and its artifacts go.
        experiment: the experiment's name; None: the sweep's.
    """

    def __init__(
        self, plan: Plan, uri: str | None, storage: Path, experiment: str | None = None
    ) -> None:
        self.plan = plan
        self.uri = store_uri(uri, storage)
        self.experiment = experiment or plan.sweep
        self._storage = storage
        self._backlog = Backlog()
        self._thread: threading.Thread | None = None
        self._writer: Writer | None = None  # the thread's alone
        self._written = 0
        self._warned = False

    def on_dealt(self, spec: TrialSpec) -> None:
        """A trial begins, or goes on."""
        self._put(Progress(spec))

    def on_epoch(self, spec: TrialSpec, epoch: Epoch) -> None:
        """A trial has ended an epoch."""
        self._put(Progress(spec, ((epoch, round(1000 * time.time())),)))

    def on_record(self, record: Record) -> None:
        """A trial has ended."""
        self._put(Ended(record))

    def sync(self, records: Iterable[Record]) -> None:
        """Bring MLflow up to these records; what stands there already is left alone."""
        self._put(*map(Ended, records))

    def study_results(self, results: Mapping[str, StudyResult]) -> None:
        """Results on fresh seeds by study id (`dense`: the dense network's)."""
        self._put(*(Confirmed(study_id, result) for study_id, result in results.items()))

    def report(self, folder: Path) -> None:
        """The report has been written to `folder`: page, tables and figures become artifacts."""
        self._put(Reported(folder))

    def log_winner(self, record: Record, model: Any, example: np.ndarray[Any, Any]) -> None:
        """Log the network that trial `record` made as a model of its run.

        Args:
            record: the winning trial.
            model: a torch module in eval mode on the CPU; it must not change afterwards.
            example: normalised images, float32 (N, C, H, W); the first one is used.
        """
        self._put(Won(record, model, example))

    def close(self, timeout_s: float = 30.0) -> None:
        """Wait until all is written, while every `timeout_s` see something written.

        Not for a server that is away. News is taken even after that; it wants another `close`.
        """
        if self._thread is None:
            return
        self._backlog.close()
        before = -1
        while self._thread.is_alive() and self._written > before:
            before = self._written
            self._thread.join(timeout_s)
        if self._thread.is_alive() or len(self._backlog):
            log.warning(
                "MLflow at %s has not heard everything; the next run of this sweep sends the rest",
                without_password(self.uri),
            )

    def _put(self, *works: Work) -> None:
        if self._backlog.put(works):
            self._thread = threading.Thread(target=self._serve, name="mlflow", daemon=True)
            self._thread.start()

    def _serve(self) -> None:
        """The thread: write what comes until closed; with MLflow away, try ever more rarely."""
        configure_environment()
        pause = 0.0
        while True:
            works = self._backlog.take(max(GATHER_S, pause))
            closing = self._backlog.closing
            left = self._write(works)
            self._backlog.put_back(left)
            pause = min(max(FIRST_PAUSE_S, 2 * pause), LONGEST_PAUSE_S) if left else 0.0
            if closing and not left:
                self._leave()
            if closing and self._backlog.ends():
                return

    def _write(self, works: Sequence[Work]) -> Sequence[Work]:
        """Write in order; what is left when MLflow turns out to be away."""
        for number, work in enumerate(works):
            if not self._done(work):
                return (*works[number + 1 :], work)  # last, so that it blocks no other next time
            self._written += 1
        return ()

    def _done(self, work: Work) -> bool:
        """Whether nothing is left to do for `work`: written, or refused for good."""
        reason: Exception | None = None
        for _ in range(TRIES):
            try:
                self._writer = self._writer or self._open()
                work.write(self._writer)
                return True
            except Exception as error:
                away = self._writer is None or is_away(error)
                self._writer, reason = None, error  # what it held to be true may not be
                if away:
                    self._warn(error)
                    return False
        log.warning("MLflow does not take %s: %s", work.slot, reason)
        return True

    def _open(self) -> Writer:
        """Connect and read what is there; the first use of a local store creates its tables."""
        from prunetune.tracking.writer import Writer  # imports mlflow: 3 s

        self._storage.mkdir(parents=True, exist_ok=True)
        artifacts = artifact_location(self.uri, self._storage)
        return Writer(self.plan, self.uri, self.experiment, artifacts)

    def _leave(self) -> None:
        """End the runs that are still open."""
        try:
            if self._writer:
                self._writer.leave()
        except Exception as error:
            self._writer = None
            self._warn(error)

    def _warn(self, error: Exception) -> None:
        """Say once that MLflow is away; after that in debug lines only."""
        level = logging.DEBUG if self._warned else logging.WARNING
        self._warned = True
        log.log(
            level,
            "MLflow at %s does not answer; the sweep goes on and MLflow will be caught up (%s)",
            without_password(self.uri),
            str(error).partition("\n")[0].replace(self.uri, without_password(self.uri)),
        )


def is_away(error: Exception) -> bool:
    """Whether waiting may help: MLflow or what it stands on cannot be reached just now."""
    from mlflow.exceptions import MlflowException

    if isinstance(error, MlflowException):
        return error.error_code not in REFUSALS
    return isinstance(error, OSError) and not isinstance(error, FileNotFoundError)
