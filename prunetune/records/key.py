"""The key of a trial: a hash of what it computes, and of nothing else."""

from __future__ import annotations

import hashlib
import json
from typing import Any

KEY_VERSIONS = (2, 1)
"""The latest first; it rises when trials that agree in all that a key names would compute something
else. Trials of version 1 had random streams without the name of their phase."""
_KEY_LENGTH = 16


def canonical(value: Any) -> str:
    """JSON with sorted keys and no spaces, so that equal values give equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest(value: Any) -> str:
    """The first 16 hex digits of the SHA-256 of `value` as canonical JSON."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()[:_KEY_LENGTH]


def trial_key(*, version: int = KEY_VERSIONS[0], **identity: Any) -> str:
    """The key of the trial that `identity` describes; fields that are None do not count."""
    present = {name: value for name, value in identity.items() if value is not None}
    return digest({"version": version, **present})
