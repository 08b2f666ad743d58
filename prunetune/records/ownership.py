"""That a sweep has one owner, and that its storage is still the one that it began with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from prunetune.records.files import StorageError
from prunetune.records.identity import StorageAnchor, made_id
from prunetune.records.lock import HeldLock, exclusive_lock
from prunetune.records.object_path import ObjectPath
from prunetune.records.place import Place
from prunetune.records.probe import probe_conditions


class Ownership:
    """Whether this process holds a sweep; workers get the anchor of the storage alone."""

    def __init__(self) -> None:
        self.anchor: StorageAnchor | None = None
        """Known from the first `hold` on, in its process and in workers."""
        self._held: HeldLock | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {"anchor": self.anchor, "_held": None}  # one process holds a lock

    def check(self) -> None:
        """Make sure that a sweep which this process held is still its own.

        Raises:
            StorageError: another process took it over, or the storage is away.
        """
        if self._held is not None:
            self._held.check()

    def check_storage(self) -> None:
        """Make sure that the storage is still there; a sweep that was never held knows of none.

        Raises:
            StorageError: it was moved away, or is not on this machine.
        """
        if self.anchor is not None:
            self.anchor.check()

    @contextmanager
    def hold(self, storage: Place, root: Place, logs: Path, name: str) -> Iterator[None]:
        """Hold the sweep.

        Args:
            storage: the storage.
            root: the sweep's folder in it.
            logs: the sweep's folder on this machine; it is made.
            name: what errors call the sweep.

        Raises:
            StorageError: another living process holds it, the storage cannot be written, or it is
                one in which two owners could not be told apart.
        """
        self.anchor = StorageAnchor(storage, made_id(storage))
        if isinstance(storage, ObjectPath):
            probe_conditions(storage)
        here = root if isinstance(root, Path) else logs
        try:
            here.mkdir(exist_ok=True, parents=here != root)
        except OSError as error:
            raise StorageError(f"cannot make {here}: {error.strerror or error}") from error
        with exclusive_lock(root / ".owner", name) as self._held:
            try:
                yield
            finally:
                self._held = None
