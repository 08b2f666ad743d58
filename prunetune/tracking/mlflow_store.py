"""Keeps MLflow up to date with a sweep, in a thread of its own.

Records are the truth and MLflow is derived from them. The driver hands its updates over and goes
on; a server that is down, slow or restarted costs the sweep one warning. Updates that cannot be
written before the sweep ends are written by its next run, which replays the records (`sync`).
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
from prunetune.tracking.backlog import Backlog
from prunetune.tracking.environment import (
    artifact_location,
    configure_environment,
    store_uri,
    without_password,
)
from prunetune.tracking.layout import StudyResult
from prunetune.tracking.updates import (
    EpochsUpdate,
    RecordUpdate,
    ReportUpdate,
    StudyUpdate,
    Update,
    WinnerUpdate,
)

if TYPE_CHECKING:
    import numpy as np

    from prunetune.tracking.writer import Writer

GATHER_S = 1.0
"""How long updates gather between two writes."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0
"""Pauses between attempts to reach a server that is away: the first, doubled up to the longest."""
_ATTEMPTS = 3
"""How often a refused update is tried, each time after reading anew what MLflow holds."""

REFUSALS = frozenset({"INVALID_PARAMETER_VALUE", "BAD_REQUEST", "RESOURCE_ALREADY_EXISTS"})
"""MLflow's error codes for a request that no repetition would mend."""

_log = logging.getLogger(__name__)


class MlflowStore:
    """An observer of a sweep that tells MLflow; its calls return at once and never raise.

    Args:
        plan: the sweep.
        uri: MLflow's tracking URI, or None for a SQLite file under `storage`.
        storage: the folder of the SQLite file and of the artifacts.
        experiment: the experiment's name, or None for the sweep's.
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
        self._writer: Writer | None = None  # used by the thread alone
        self._written = 0
        self._warned = False

    def on_dealt(self, spec: TrialSpec) -> None:
        """A trial begins or is resumed."""
        self._put(EpochsUpdate(spec))

    def on_epoch(self, spec: TrialSpec, epoch: Epoch) -> None:
        """A trial has finished an epoch."""
        self._put(EpochsUpdate(spec, ((epoch, round(1000 * time.time())),)))

    def on_record(self, record: Record) -> None:
        """A trial has ended."""
        self._put(RecordUpdate(record))

    def sync(self, records: Iterable[Record]) -> None:
        """Write the records that MLflow lacks."""
        self._put(*map(RecordUpdate, records))

    def study_results(self, results: Mapping[str, StudyResult]) -> None:
        """Write results on fresh seeds, by study id; `dense` is the dense network."""
        self._put(*(StudyUpdate(study_id, result) for study_id, result in results.items()))

    def report(self, folder: Path) -> None:
        """Upload the report's folder: page, tables and figures become artifacts."""
        self._put(ReportUpdate(folder))

    def log_winner(self, record: Record, model: Any, example: np.ndarray[Any, Any]) -> None:
        """Log the network of a winning trial as a model of its run.

        Args:
            record: the trial.
            model: a torch module in eval mode on the CPU; it must not change afterwards.
            example: normalised images, float32 (N, C, H, W); the first one is used.
        """
        self._put(WinnerUpdate(record, model, example))

    def close(self, timeout_s: float = 30.0) -> None:
        """Wait until the backlog is written, as long as each `timeout_s` writes something of it.

        So it does not wait for a server that is away. Later updates need another `close`.
        """
        if self._thread is None:
            return
        self._backlog.close()
        before = -1
        while self._thread.is_alive() and self._written > before:
            before = self._written
            self._thread.join(timeout_s)
        if self._thread.is_alive() or len(self._backlog):
            _log.warning(
                "MLflow at %s has not heard everything; the next run of this sweep sends the rest",
                without_password(self.uri),
            )

    def _put(self, *updates: Update) -> None:
        if self._backlog.put(updates):
            self._thread = threading.Thread(target=self._serve, name="mlflow", daemon=True)
            self._thread.start()

    def _serve(self) -> None:
        """The thread: write updates until closed; while MLflow is away, try ever more rarely."""
        configure_environment()
        pause = 0.0
        while True:
            updates = self._backlog.take(max(GATHER_S, pause))
            closing = self._backlog.closing
            unwritten = self._write(updates)
            self._backlog.put_back(unwritten)
            pause = min(max(FIRST_PAUSE_S, 2 * pause), LONGEST_PAUSE_S) if unwritten else 0.0
            if closing and not unwritten:
                self._leave()
            if closing and self._backlog.ends():
                return

    def _write(self, updates: Sequence[Update]) -> Sequence[Update]:
        """Write the updates in order; return those left over when MLflow turns out to be away."""
        for number, update in enumerate(updates):
            if not self._done(update):
                # The failed update goes last, so that it blocks no other next time.
                return (*updates[number + 1 :], update)
            self._written += 1
        return ()

    def _done(self, update: Update) -> bool:
        """Whether an update is dealt with: written, or refused for good."""
        reason: Exception | None = None
        for _ in range(_ATTEMPTS):
            try:
                self._writer = self._writer or self._open()
                update.write(self._writer)
                return True
            except Exception as error:
                away = self._writer is None or is_away(error)
                self._writer, reason = None, error  # its picture of MLflow may be wrong
                if away:
                    self._warn(error)
                    return False
        _log.warning("MLflow does not take %s: %s", update.subject, reason)
        return True

    def _open(self) -> Writer:
        """Connect and read the experiment; the first use of a SQLite file creates its tables."""
        from prunetune.tracking.writer import Writer  # imports mlflow: 3 s

        self._storage.mkdir(parents=True, exist_ok=True)
        artifacts = artifact_location(self.uri, self._storage)
        return Writer(self.plan, self.uri, self.experiment, artifacts)

    def _leave(self) -> None:
        """End the runs that are open in MLflow."""
        try:
            if self._writer:
                self._writer.leave()
        except Exception as error:
            self._writer = None
            self._warn(error)

    def _warn(self, error: Exception) -> None:
        """Warn once that MLflow is away; later only at debug level."""
        level = logging.DEBUG if self._warned else logging.WARNING
        self._warned = True
        _log.log(
            level,
            "MLflow at %s does not answer; the sweep goes on and MLflow will be caught up (%s)",
            without_password(self.uri),
            str(error).partition("\n")[0].replace(self.uri, without_password(self.uri)),
        )


def is_away(error: Exception) -> bool:
    """Whether waiting may help: MLflow, its database or its disk cannot be reached now."""
    from mlflow.exceptions import MlflowException

    if isinstance(error, MlflowException):
        return error.error_code not in REFUSALS
    return isinstance(error, OSError) and not isinstance(error, FileNotFoundError)
