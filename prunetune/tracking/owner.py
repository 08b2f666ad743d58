"""Whose runs are whose: one MLflow server may hold a sweep of one name for several storages.

A run belongs to a sweep of a storage, and says so by two tags. Nothing of another owner is changed,
deleted or taken for one's own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from prunetune.tracking.layout import SWEEP

STORAGE = "prunetune.storage"
"""Tag of a run: the id of the storage to which its sweep belongs."""
VIEWS = "prunetune.views"
"""Tag of an experiment: the owner of the saved views whose keys have no suffix."""


@dataclass(frozen=True)
class Owner:
    """A sweep in a storage.

    Args:
        sweep: the sweep's name.
        storage: the storage's id.
        adopts: whether runs without a storage are its own: in the store beside the results, older
            versions wrote them without that tag.
    """

    sweep: str
    storage: str
    adopts: bool = False

    @property
    def name(self) -> str:
        """The owner in one word, as the tag VIEWS has it."""
        return f"{self.storage}/{self.sweep}"

    @property
    def tags(self) -> dict[str, str]:
        """The tags that everything of this owner bears."""
        return {SWEEP: self.sweep, STORAGE: self.storage}

    def has(self, tags: Mapping[str, str]) -> bool:
        """Whether something with these tags belongs to this owner."""
        storage = tags.get(STORAGE, self.storage if self.adopts else None)
        return tags.get(SWEEP) == self.sweep and storage == self.storage

    @property
    def condition(self) -> str:
        """Filter of a search that finds this owner's runs alone."""
        return " AND ".join(f"tags.`{tag}` = '{value}'" for tag, value in self.tags.items())

    def suffix(self, experiment_tags: Mapping[str, str]) -> str:
        """What sets this owner's saved views apart in an experiment; empty for its first owner."""
        if experiment_tags.get(VIEWS, self.name) == self.name:
            return ""
        return f"-{hashlib.sha256(self.name.encode()).hexdigest()[:8]}"
