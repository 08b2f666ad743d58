"""Keeps MLflow up to date with a sweep, in a thread of its own.

Records are the truth and MLflow is derived from them. The driver hands its updates over and goes
on; a server that is down, slow or restarted costs the sweep one warning. Updates that cannot be
written before the sweep ends are written by its next run, or by `prunetune ui`, which replay the
records (`sync`).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from prunetune.plan import Plan
from prunetune.records.files import StoredFile, StoredFolder
from prunetune.records.record import Epoch, Record, TrialSpec
from prunetune.tracking.backlog import Backlog
from prunetune.tracking.environment import (
    artifact_location,
    configure_environment,
    reach_database,
    store_uri,
)
from prunetune.tracking.layout import StudyResult
from prunetune.tracking.lines import EffortPoints, effort_lines, frontier_lines
from prunetune.tracking.outages import Outages, is_away
from prunetune.tracking.owner import Owner
from prunetune.tracking.updates import (
    EpochsUpdate,
    LinesUpdate,
    OpenUpdate,
    RecordUpdate,
    ReportUpdate,
    StudyUpdate,
    Update,
    WinnerUpdate,
)

if TYPE_CHECKING:
    from prunetune.tracking.models import LoadNetwork
    from prunetune.tracking.writer import Writer

GATHER_S = 1.0
"""How long updates gather between two writes."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0
"""Pauses between attempts to reach a server that is away: the first, doubled up to the longest."""
_ATTEMPTS = 3
"""How often a refused update is tried, each time after reading anew what MLflow holds."""
END_S = 60.0
"""How long a command waits at its end for MLflow to hear the rest."""
_SILENT_S = 3.0
"""How long it waits before it says so."""
_AGAIN_S = 15.0
"""How often it says what is left, where nothing limits the wait."""


class MlflowStore:
    """An observer of a sweep that tells MLflow; its calls return at once and never raise.

    Args:
        plan: the sweep.
        uri: MLflow's tracking URI, or None for a SQLite file under `storage`.
        storage: the folder of the SQLite file and of the artifacts.
        storage_id: the id of the storage that the records belong to.
        experiment: the experiment's name, or None for the sweep's.
    """

    def __init__(
        self,
        plan: Plan,
        uri: str | None,
        storage: Path,
        storage_id: str,
        experiment: str | None = None,
    ) -> None:
        self.plan = plan
        self.owner = Owner(plan.sweep, storage_id, adopts=uri is None)
        self.uri = store_uri(uri, storage)
        self.experiment = experiment or plan.sweep
        self._storage = storage
        self._backlog = Backlog()
        self._thread: threading.Thread | None = None
        self._writer: Writer | None = None  # used by the thread alone
        self._outages = Outages(self.uri, plan.sweep)
        self._left_open = False
        self._written: set[str] = set()  # keys of finished trials; used by the thread alone

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
        """Write the records that MLflow lacks, and end what an earlier process left running."""
        self._put(OpenUpdate(), *map(RecordUpdate, records))

    def study_results(self, results: Mapping[str, StudyResult]) -> None:
        """Write results on fresh seeds, by study id; `dense` is the dense network."""
        lines = tuple(frontier_lines(self.plan, results))
        studies = (StudyUpdate(study_id, result) for study_id, result in results.items())
        self._put(*studies, LinesUpdate(lines, "frontier"))

    def efforts(self, efforts: Mapping[str, EffortPoints]) -> None:
        """Write the search effort of studies, by study id."""
        self._put(LinesUpdate(tuple(effort_lines(self.plan, efforts)), "search effort"))

    def report(
        self,
        folder: StoredFolder,
        files: Sequence[StoredFile] = (),
        surroundings: Mapping[str, str] | None = None,
    ) -> None:
        """Upload the report: page, tables and figures become artifacts.

        Args:
            folder: the report's folder; one without files is none.
            files: what is uploaded beside it, such as the plan and the sweep file.
            surroundings: facts for tags, such as `device` and `versions.torch`.
        """
        self._put(ReportUpdate(folder, tuple(files), surroundings or {}))

    def log_winner(self, record: Record, load: LoadNetwork) -> None:
        """Log the network of a winning trial as a model of its run, unless the run has one."""
        self._put(WinnerUpdate(record, load))

    def close(self) -> None:
        """Nothing: what follows the run of trials is told too, and then comes `finish`."""

    def finish(self, longest_s: float | None = END_S) -> None:
        """Wait until MLflow has heard everything, and say what is left.

        It does not wait for a server that is away. Later updates need another `finish`.

        Args:
            longest_s: the longest wait in seconds; None: as long as MLflow takes updates.
        """
        thread = self._thread
        if thread is None:
            return
        self._backlog.close()
        thread.join(_SILENT_S if longest_s is None else min(_SILENT_S, longest_s))
        if longest_s is None:
            while thread.is_alive():
                self._outages.wait(self._backlog.left())
                thread.join(_AGAIN_S)
        elif thread.is_alive() and longest_s > _SILENT_S:
            self._outages.wait(self._backlog.left(), longest_s)
            thread.join(longest_s - _SILENT_S)
        if thread.is_alive() or self._left_open or self._backlog.left():
            self._outages.give_up(self._backlog.left())

    def _put(self, *updates: Update) -> None:
        if self._backlog.put(updates):
            self._thread = threading.Thread(target=self._serve, name="mlflow", daemon=True)
            self._thread.start()

    def _serve(self) -> None:
        """The thread: write updates until closed; while MLflow is away, try ever more rarely."""
        configure_environment()
        logging.getLogger("urllib3").setLevel(logging.ERROR)  # it repeats what we say, every time
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
            self._backlog.written(update)
        return ()

    def _done(self, update: Update) -> bool:
        """Whether an update is dealt with: written, or refused for good."""
        last: Exception | None = None
        for attempt in range(_ATTEMPTS):
            try:
                self._writer = self._writer or self._open()
                update.write(self._writer)
                self._outages.end()
                if isinstance(update, RecordUpdate):
                    self._written.add(update.subject)
                return True
            except Exception as error:
                unreachable = self._writer is None
                self._writer, last = None, error  # its picture of MLflow may be wrong
                if unreachable or (attempt and is_away(error)):
                    self._outages.begin(error)
                    return False
        self._outages.refused(update.subject, last)
        return True

    def _open(self) -> Writer:
        """Connect and read the experiment; the first use of a SQLite file creates its tables."""
        from prunetune.tracking.writer import Writer  # imports mlflow: 3 s

        reach_database(self.uri)
        self._storage.mkdir(parents=True, exist_ok=True)
        artifacts = artifact_location(self.uri, self._storage)
        return Writer(self.plan, self.owner, self.uri, self.experiment, artifacts)

    def _leave(self) -> None:
        """End the runs that are open in MLflow, and compare what it holds with what it was told."""
        try:
            if self._writer:
                self._writer.leave()
                self._outages.differs(*self._writer.unlike(self._written))
            self._left_open = False
        except Exception as error:
            self._writer, self._left_open = None, True
            self._outages.begin(error)
