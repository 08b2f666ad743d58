"""A path below the address of an object store, with those methods of pathlib that storage needs."""

from __future__ import annotations

from dataclasses import dataclass, replace

from prunetune.records import objects
from prunetune.records.uri import StorageUri


@dataclass(frozen=True, order=False)
class ObjectPath:
    """An object, or all objects whose names begin so. Only the address travels in a pickle."""

    uri: StorageUri
    key: str = ""

    def __truediv__(self, name: str) -> ObjectPath:
        return ObjectPath(self.uri, f"{self.key}/{name}" if self.key else name)

    def __str__(self) -> str:
        return f"{self.uri}/{self.key}" if self.key else str(self.uri)

    @property
    def name(self) -> str:
        """The last part."""
        return (self.key or self.uri.folder).rpartition("/")[2]

    @property
    def parent(self) -> ObjectPath:
        """The path without its last part."""
        if self.key:
            return ObjectPath(self.uri, self.key.rpartition("/")[0])
        return ObjectPath(replace(self.uri, folder=self.uri.folder.rpartition("/")[0]))

    def read_bytes(self) -> bytes:
        """The content.

        Raises:
            FileNotFoundError: there is no such object.
            StorageError: the store does not answer or refuses.
        """
        return objects.get(self.uri, self.key)

    def write_bytes(self, data: bytes) -> None:
        """Write the object whole.

        Raises:
            StorageError: the store does not answer or refuses.
        """
        objects.put(self.uri, self.key, data)

    def exists(self) -> bool:
        """Whether there is an object of this name.

        Raises:
            StorageError: the store does not answer or refuses.
        """
        return objects.info(self.uri, self.key) is not None

    def unlink(self, missing_ok: bool = False) -> None:
        """Remove the object; one that is missing is no error, whatever `missing_ok` says.

        Raises:
            StorageError: the store does not answer or refuses.
        """
        objects.delete(self.uri, self.key)
