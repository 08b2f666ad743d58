"""What MLflow is to be told: one class for each kind of update, and how two updates merge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

from prunetune.records.files import StoredFile, StoredFolder
from prunetune.records.record import Epoch, Record, TrialSpec
from prunetune.tracking.layout import StudyResult
from prunetune.tracking.lines import Line

if TYPE_CHECKING:
    from prunetune.tracking.models import LoadNetwork
    from prunetune.tracking.writer import Writer


class Update(Protocol):
    """Something to write to MLflow."""

    @property
    def kind(self) -> str:
        """The kind of thing that the update is about, for people: a trial, a study."""
        ...

    @property
    def subject(self) -> str:
        """What the update is about; two updates of one subject are merged."""
        ...

    def after(self, earlier: Any) -> Update:
        """This update and an earlier one of the same subject as one."""
        ...

    def write(self, writer: Writer) -> None:
        """Write the update; a call that raises may be repeated."""
        ...


@dataclass(frozen=True)
class EpochsUpdate:
    """A running trial: its epochs, each with the time of its report in ms since 1970."""

    spec: TrialSpec
    epochs: tuple[tuple[Epoch, int], ...] = ()
    kind: str = "trial"

    @property
    def subject(self) -> str:
        """The trial's key."""
        return self.spec.key

    def after(self, earlier: EpochsUpdate | RecordUpdate) -> Update:
        """The epochs of both; after a record only these: the trial is tried again."""
        return replace(self, epochs=(*getattr(earlier, "epochs", ()), *self.epochs))

    def write(self, writer: Writer) -> None:
        """Log the trial and its epochs."""
        writer.trial(self.spec, self.epochs)


@dataclass(frozen=True)
class ReplacingUpdate:
    """Base of the updates that replace any earlier one of their subject."""

    def after(self, earlier: Any) -> Any:
        """This update alone."""
        return self


@dataclass(frozen=True)
class OpenUpdate(ReplacingUpdate):
    """The sweep itself: its experiment, its views and the runs of its studies."""

    subject: str = "the experiment"
    kind: str = "experiment"

    def write(self, writer: Writer) -> None:
        """Nothing: a writer makes all of that when it is opened."""


@dataclass(frozen=True)
class RecordUpdate(ReplacingUpdate):
    """A finished trial."""

    record: Record
    kind: str = "trial"

    @property
    def subject(self) -> str:
        """The trial's key."""
        return self.record.key

    def write(self, writer: Writer) -> None:
        """Log the whole record."""
        writer.record(self.record)


@dataclass(frozen=True)
class StudyUpdate(ReplacingUpdate):
    """A study's result on fresh seeds."""

    study_id: str
    result: StudyResult
    kind: str = "study result"

    @property
    def subject(self) -> str:
        """The study."""
        return f"study {self.study_id}"

    def write(self, writer: Writer) -> None:
        """Log the result in the study's run."""
        writer.study(self.study_id, self.result)


@dataclass(frozen=True)
class LinesUpdate(ReplacingUpdate):
    """Lines of one kind for the charts: the frontiers, or the search efforts."""

    lines: tuple[Line, ...]
    kind: str

    @property
    def subject(self) -> str:
        """The kind."""
        return f"lines of {self.kind}"

    def write(self, writer: Writer) -> None:
        """Write each line as a run."""
        for line in self.lines:
            writer.line(line)


@dataclass(frozen=True)
class ReportUpdate(ReplacingUpdate):
    """A new report: the files of a folder, other files beside them, and facts for its tags."""

    folder: StoredFolder
    files: tuple[StoredFile, ...] = ()
    surroundings: Mapping[str, str] = field(default_factory=dict)
    subject: str = "report"
    kind: str = "report"

    def write(self, writer: Writer) -> None:
        """Upload all files."""
        with self.folder.local() as folder:
            writer.report(
                folder, {file.name: file.read() for file in self.files}, self.surroundings
            )


@dataclass(frozen=True)
class WinnerUpdate(ReplacingUpdate):
    """The network of a study's winner; it is loaded only if MLflow lacks it."""

    record: Record
    load: LoadNetwork
    kind: str = "winning network"

    @property
    def subject(self) -> str:
        """The winner's study."""
        return f"winner {self.record.study}"

    def write(self, writer: Writer) -> None:
        """Log the network as a model."""
        writer.winner(self.record, self.load)
