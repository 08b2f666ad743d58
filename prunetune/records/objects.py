"""The door to object stores: reads, writes, lists and swaps objects, with every wait bounded.

The only module that imports obstore. Each process makes its own client from the address, and the
client takes credentials from the environment or from the machine's role: nothing is pickled.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from prunetune.records.files import StorageError
from prunetune.records.uri import StorageUri, endpoint_of_environment

if TYPE_CHECKING:
    from obstore import GetOptions, ObjectMeta
    from obstore.store import GCSStore, S3Store

REQUEST_S = 30
"""How long one request may take, with all bytes that it carries."""
_CONNECT_S = 5
_RETRIES, _RETRY_S = 5, 20
"""Failed requests are tried again so often and for so long; a silent server is asked once."""
_PORTION = 8 * 2**20
"""Bytes that one request carries; larger objects go in several."""
_AT_ONCE = 4
_LONGEST_REASON = 200


class ObjectInfo(NamedTuple):
    """What a listing says of an object."""

    name: str
    changed_ns: int
    size: int


Version = tuple[str | None, str | None]
"""Tells one content of an object from every other: its tag and its generation."""


class VersionedObject(NamedTuple):
    """An object's content, and the version that it is."""

    content: bytes
    version: Version


def get(uri: StorageUri, key: str) -> bytes:
    """The content of an object.

    Raises:
        FileNotFoundError: there is no such object.
        StorageError: the store does not answer or refuses.
    """
    with _said(uri):
        whole = _client(uri).get(key)
        size = whole.meta["size"]
        if size <= _PORTION:
            return bytes(whole.bytes())
        # An object that is replaced meanwhile must not be read in two halves.
        same: GetOptions = {"if_match": whole.meta["e_tag"]}
        ends = [(start, min(start + _PORTION, size)) for start in range(0, size, _PORTION)]
        portions = [_client(uri).get(key, options={**same, "range": each}) for each in ends]
        return b"".join(bytes(portion.bytes()) for portion in portions)


def put(uri: StorageUri, key: str, content: bytes) -> None:
    """Write an object whole: a reader sees the former one or the new one.

    Raises:
        StorageError: the store does not answer or refuses.
    """
    with _said(uri):
        _client(uri).put(key, content, chunk_size=_PORTION, max_concurrency=_AT_ONCE)


def info(uri: StorageUri, key: str) -> ObjectInfo | None:
    """What the store says of an object; None if there is none.

    Raises:
        StorageError: the store does not answer or refuses.
    """
    with _said(uri):
        try:
            meta = _client(uri).head(key)
        except FileNotFoundError:
            return None
        return ObjectInfo(key, _nanoseconds(meta), meta["size"])


def delete(uri: StorageUri, key: str) -> None:
    """Remove an object if it exists.

    Raises:
        StorageError: the store does not answer or refuses.
    """
    with _said(uri):
        try:
            _client(uri).delete(key)
        except FileNotFoundError:
            return


def listed(uri: StorageUri, folder: str) -> tuple[list[str], list[ObjectInfo]]:
    """The folders and the objects directly below `folder`, by their last names.

    Raises:
        StorageError: the store does not answer or refuses.
    """
    with _said(uri):
        found = _client(uri).list_with_delimiter(folder or None)
    folders = [prefix.rstrip("/").rpartition("/")[2] for prefix in found["common_prefixes"]]
    objects = [
        ObjectInfo(
            meta["path"].rpartition("/")[2],
            _nanoseconds(meta),
            meta["size"],
        )
        for meta in found["objects"]
    ]
    return sorted(folders), sorted(objects)


def cell(uri: StorageUri, key: str) -> VersionedObject | None:
    """The content of a small object and its version; None if there is none.

    Raises:
        StorageError: the store does not answer or refuses.
    """
    with _said(uri):
        try:
            found = _client(uri).get(key)
            content = bytes(found.bytes())
        except FileNotFoundError:
            return None
        return VersionedObject(content, (found.meta["e_tag"], found.meta["version"]))


def swap(uri: StorageUri, key: str, content: bytes, known: Version | None) -> Version | None:
    """Write an object only if it still is version `known`, or, for None, if there is none.

    Returns the new version, or None if another writer was there first.

    Raises:
        StorageError: the store does not answer or refuses.
    """
    from obstore.exceptions import AlreadyExistsError, PreconditionError

    with _said(uri):
        try:
            written = _client(uri).put(key, content, mode=_condition(known), use_multipart=False)
            return written["e_tag"], written["version"]
        except (AlreadyExistsError, PreconditionError, FileNotFoundError):
            # A request whose answer was lost is sent again, and then finds itself.
            found = cell(uri, key)
            return found.version if found and found.content == content else None


def _condition(known: Version | None) -> Any:
    if known is None:
        return "create"
    return {k: v for k, v in zip(("e_tag", "version"), known, strict=True) if v is not None}


@lru_cache(maxsize=8)
def _client(uri: StorageUri) -> S3Store | GCSStore:
    from obstore.store import GCSStore, S3Store

    server = uri.endpoint or (endpoint_of_environment() if uri.scheme == "s3" else None)
    plain = (server or "").startswith("http://")
    where: dict[str, Any] = {
        "prefix": uri.folder or None,
        "client_options": {
            "connect_timeout": timedelta(seconds=_CONNECT_S),
            "timeout": timedelta(seconds=REQUEST_S),
            **({"allow_http": True} if plain else {}),
        },
        "retry_config": {"max_retries": _RETRIES, "retry_timeout": timedelta(seconds=_RETRY_S)},
    }
    server_name = "aws_endpoint_url_s3" if uri.scheme == "s3" else "base_url"
    named = {server_name: uri.endpoint, "region": uri.region}
    where |= {name: value for name, value in named.items() if value}
    if uri.scheme == "gs":
        return GCSStore(uri.bucket, **where)
    return S3Store(uri.bucket, disable_bulk_delete=True, **where)


def _nanoseconds(meta: ObjectMeta) -> int:
    return int(meta["last_modified"].timestamp() * 1e6) * 1000


@contextmanager
def _said(uri: StorageUri) -> Iterator[None]:
    """Say in one line what the store did not do."""
    from obstore.exceptions import BaseError

    try:
        yield
    except (BaseError, FileNotFoundError, PermissionError) as error:
        text = str(error)
        if isinstance(error, FileNotFoundError) and "NoSuchBucket" not in text:
            raise FileNotFoundError(f"{uri}: no such object") from None
        raise StorageError(f"storage {uri}: {_reason(text)}") from None


def _reason(text: str) -> str:
    """The cause in the text of obstore's error, without its debug output."""
    line = text.partition("Debug source")[0].strip()
    code = re.search(r"<Code>(\w+)</Code>", line)
    if code:
        return f"the store refuses: {code[1]}"
    if "169.254.169.254" in line or "metadata.google" in line:
        return (
            "no credentials: neither the environment (AWS_ACCESS_KEY_ID, "
            "GOOGLE_APPLICATION_CREDENTIALS, ...) nor the machine's role has any"
        )
    if "error sending request" in line or "timed out" in line.lower():
        return f"does not answer ({' '.join(line.split())[:_LONGEST_REASON]})"
    return " ".join(line.split())[:_LONGEST_REASON]
