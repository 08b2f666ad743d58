"""What the storage asks of the places where files lie; types only."""

from __future__ import annotations

from typing import Protocol


class Place(Protocol):
    """Where a file or a folder lies: a path of this machine, or one of an object store."""

    @property
    def name(self) -> str:
        """The last part."""

    @property
    def parent(self) -> Place:
        """The place without its last part."""

    def __truediv__(self, key: str, /) -> Place:
        """The place called `key` below this one."""

    def read_bytes(self) -> bytes:
        """The content."""

    def write_bytes(self, data: bytes) -> object:
        """Replace the content."""

    def exists(self) -> bool:
        """Whether there is such a file."""

    def unlink(self, missing_ok: bool = False) -> None:
        """Remove the file."""


class Anchor(Protocol):
    """Tells a storage that is there from one that was moved away, or whose disk was unmounted."""

    def check(self) -> None:
        """Raise StorageError if the storage is not where it was."""
