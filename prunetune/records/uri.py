"""The address of an object store, written as Ray and pyarrow take it.

s3://BUCKET/FOLDER?region=R, gs://BUCKET/FOLDER; `endpoint_override=HOST:PORT` and `scheme=http`
name another server than the provider's. An address holds no secret: credentials come from the
environment of each process, or from the role of the machine.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote, urlsplit

_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_SCHEMES = ("s3", "gs")
_OPTIONS = ("endpoint_override", "scheme", "region")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")
_OUR_SCHEMES = "a folder, s3://BUCKET/FOLDER or gs://BUCKET/FOLDER"


class StorageAddressError(ValueError):
    """The storage that was asked for is no folder, and no object store that we know."""

    exit_code = 2


@dataclass(frozen=True)
class StorageUri:
    """A folder of an object store."""

    scheme: str
    bucket: str
    folder: str = ""
    """Without slashes at its ends."""
    endpoint: str | None = None
    """URL of the server; None: the provider's, or that which the environment names."""
    region: str | None = None

    def __str__(self) -> str:
        return f"{self.scheme}://{self.bucket}" + (f"/{self.folder}" if self.folder else "")


def is_uri(written: str) -> bool:
    """Whether it is the address of an object store, and not a path."""
    return _URI.match(written) is not None


def parse_uri(written: str) -> StorageUri:
    """The address, checked.

    Raises:
        StorageAddressError: it has another form than ours; the message shows no password.
    """
    parts = urlsplit(written)
    shown = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"

    def refused(reason: str) -> StorageAddressError:
        return StorageAddressError(f"storage {shown!r}: {reason}")

    if parts.scheme not in _SCHEMES:
        raise refused(f"is at no place that prunetune can write to; give {_OUR_SCHEMES}")
    if "@" in parts.netloc:
        raise refused(
            "an address must not hold credentials; set them in the environment "
            "(AWS_ACCESS_KEY_ID, GOOGLE_APPLICATION_CREDENTIALS, ...) or use the machine's role"
        )
    if not _BUCKET.fullmatch(parts.netloc):
        raise refused(f"{parts.netloc!r} is no name of a bucket")
    segments = [unquote(s) for s in parts.path.split("/") if s]
    if parts.fragment or {".", ".."} & set(segments) or any("/" in s for s in segments):
        raise refused("the folder must be plain names between slashes")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    for name in options:
        if name not in _OPTIONS:
            raise refused(f"has the option {name!r}; allowed are {', '.join(_OPTIONS)}")
    protocol = options.get("scheme", "https")
    if protocol not in ("http", "https"):
        raise refused(f"has scheme={protocol}; allowed are http and https")
    server = options.get("endpoint_override")
    return StorageUri(
        parts.scheme,
        parts.netloc,
        "/".join(segments),
        f"{protocol}://{server}" if server else None,
        (options.get("region") or _region(server)) if parts.scheme == "s3" else None,
    )


def _region(server: str | None) -> str | None:
    """The region that the environment names; other servers than Amazon's take any."""
    named = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    return named or ("us-east-1" if server or endpoint_of_environment() else None)


def endpoint_of_environment() -> str | None:
    """The server that the environment names in place of Amazon's."""
    return os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
