"""The folders of trials and of shared networks, and the files that lie in them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from fnmatch import fnmatch
from pathlib import Path

from prunetune.records.files import StorageError, StoredFile, StoredFolder
from prunetune.records.listing import files_in
from prunetune.records.lock import waiting_lock

_WEIGHTS, _RECORD = "weights.safetensors", "record.json"
_CHECKPOINTS = ("checkpoint.safetensors", "shrinking.safetensors", "stage-*.safetensors")


class NetworkFolder(StoredFolder):
    """What is kept of one network."""

    @property
    def weights(self) -> StoredFile:
        """The state dict after training, as safetensors."""
        return self.file(_WEIGHTS)

    @property
    def test_outputs(self) -> StoredFile:
        """`log_probs`, `labels` and `predicted` of every test image, as safetensors."""
        return self.file("test_outputs.safetensors")

    @property
    def kept(self) -> StoredFile:
        """The indices of the channels that pruning kept, as JSON."""
        return self.file("kept.json")

    @property
    def checkpoint(self) -> StoredFile:
        """The checkpoint of the training, while the training lasts."""
        return self.file("checkpoint.safetensors")


class SharedNetworkFolder(NetworkFolder):
    """A dense or sparsified network, which all sweeps under one storage share."""

    @property
    def record(self) -> StoredFile:
        """How the network came about, as JSON. This file is written last."""
        return self.file(_RECORD)

    def is_complete(self) -> bool:
        """Whether the network can be used: where the record lies, the weights are whole."""
        return self.record.exists() and self.weights.exists()

    def lock(self) -> AbstractContextManager[None]:
        """Hold the network, after waiting for whoever is making it.

        Raises:
            StorageError: the storage is away, or cannot be written.
        """
        return _waited_for(self)


class TrialFolder(NetworkFolder):
    """What is kept of one trial, beside its record."""

    @property
    def trial(self) -> StoredFile:
        """The trial as it was dealt, as JSON; written before the trial runs."""
        return self.file("trial.json")

    @property
    def spent(self) -> StoredFile:
        """The MACs and seconds that the trial has spent so far, as JSON."""
        return self.file("spent.json")

    @property
    def error(self) -> StoredFile:
        """The traceback of the last fault."""
        return self.file("error.txt")

    @property
    def breaks(self) -> StoredFile:
        """How often, when and by what the trial broke off, as JSON."""
        return self.file("breaks.json")

    @property
    def hang(self) -> StoredFile:
        """Where the trial hung; written before its process is ended, read and removed after."""
        return self.file("hang.txt")

    @property
    def shrinking_checkpoint(self) -> StoredFile:
        """The checkpoint of the epochs in which the network still shrinks."""
        return self.file("shrinking.safetensors")

    def stage_checkpoint(self, number: int) -> StoredFile:
        """The checkpoint of training number `number` within the method, counted from 1."""
        return self.file(f"stage-{number}.safetensors")

    def drop_checkpoints(self) -> None:
        """Remove all checkpoints. Call it once the record is written: nothing resumes from them."""
        for entry in files_in(self.place):
            if is_checkpoint(entry.name):
                self.file(entry.name).delete()


def is_checkpoint(name: str) -> bool:
    """Whether a file of a trial's folder, of this name, is a checkpoint."""
    return any(fnmatch(name, pattern) for pattern in _CHECKPOINTS)


def is_weights(name: str) -> bool:
    """Whether a file of a network's folder, of this name, is its weights."""
    return name == _WEIGHTS


def is_record(name: str) -> bool:
    """Whether a file of a shared network's folder is its record, or a record set aside."""
    return name.startswith(_RECORD)


@contextmanager
def _waited_for(folder: StoredFolder) -> Iterator[None]:
    """Hold the folder, after making it and waiting for its holder."""
    if isinstance(folder.place, Path) and not folder.place.is_dir():
        if folder.anchor is not None:
            folder.anchor.check()
        try:
            folder.place.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"cannot make {folder}: {error.strerror or error}") from error
    with waiting_lock(folder.place / ".owner"):
        yield
