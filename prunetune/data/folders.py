"""Lists the images of a folder per class: follows links, and counts the names that it skips."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from prunetune.data.files import DataMissingError

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".ppm", ".tif", ".tiff")
LEFT_BEHIND = frozenset(
    {
        *("__macosx", "__pycache__", "thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"),
        *("@eadir", "@recycle", "#recycle", "$recycle.bin", "system volume information"),
        *("lost+found", "network trash folder", "temporary items"),
    }
)
"""Names, in lower case, that archives, file systems and file managers leave among images."""


@dataclass(frozen=True)
class Listing:
    """The images under one folder that holds a folder per class."""

    folder: Path
    images: Mapping[str, tuple[Path, ...]]
    """Class -> its images, sorted."""
    skipped: Mapping[str, int]
    """What was not read, in words -> how many."""


def reason_to_skip(name: str) -> str | None:
    """Why a file or folder of this name is not read, in words; None: it may be read."""
    if name.startswith("."):
        return "names that begin with a dot"
    return "names that file systems leave behind" if name.lower() in LEFT_BEHIND else None


def class_names(folder: Path) -> list[str]:
    """The names of the class folders in `folder`, sorted; none if there is no such folder."""
    if not folder.is_dir():
        return []
    return sorted(f.name for f in folder.iterdir() if not reason_to_skip(f.name) and f.is_dir())


def list_images(folder: Path, classes: Sequence[str]) -> Listing:
    """The images of `classes` in `folder`, at any depth.

    Links to folders are followed. Each folder is read once, however many links lead to it.

    Raises:
        DataMissingError: a link leads nowhere.
        ValueError: two classes are one folder.
        OSError: a folder may not be read.
    """
    walk = _Walk()
    for entry in _entries(folder):
        walk.note_loose(entry)
    for name in classes:
        walk.read_class(name, folder / name)
    walk.follow_links()
    images = {name: tuple(sorted(paths)) for name, paths in walk.images.items()}
    return Listing(folder, images, dict(walk.skipped))


class _Walk:
    """Walks through folders: first through all that are no links, then through the links.

    So a link never takes images away from the folder that they lie in.
    """

    def __init__(self) -> None:
        self.images: dict[str, list[Path]] = {}
        self.skipped: Counter[str] = Counter()
        self._links: list[tuple[str, Path]] = []
        self._seen: dict[tuple[int, int], Path] = {}

    def note_loose(self, entry: os.DirEntry[str]) -> None:
        """Count what lies beside the class folders."""
        if reason := reason_to_skip(entry.name):
            self.skipped[reason] += 1
        elif not os.path.isdir(entry.path):
            _check_link(entry)
            is_image = entry.name.lower().endswith(IMAGE_SUFFIXES)
            self.skipped["images outside class folders" if is_image else _kind(entry.name)] += 1

    def read_class(self, name: str, folder: Path) -> None:
        """Collect the images of one class; its folder may be missing, or be a link."""
        self.images[name] = []
        if not folder.is_dir():
            return
        if other := self._seen_before(folder):
            raise ValueError(f"{folder}: is the same folder as {other}, which is another class")
        self._read(name, folder)

    def follow_links(self) -> None:
        """Collect the images behind links; links that are found on the way are followed too."""
        for name, link in self._links:  # grows while it is walked through
            self._enter(name, link)

    def _enter(self, name: str, folder: Path) -> None:
        if self._seen_before(folder):
            self.skipped["links to folders that are read already"] += 1
        else:
            self._read(name, folder)

    def _read(self, name: str, folder: Path) -> None:
        for entry in _entries(folder):
            if reason := reason_to_skip(entry.name):
                self.skipped[reason] += 1
                continue
            _check_link(entry)
            if entry.is_symlink() and os.path.isdir(entry.path):
                self._links.append((name, Path(entry.path)))
            elif entry.is_dir():
                self._enter(name, Path(entry.path))
            elif entry.name.lower().endswith(IMAGE_SUFFIXES):
                self.images[name].append(Path(entry.path))
            else:
                self.skipped[_kind(entry.name)] += 1

    def _seen_before(self, folder: Path) -> Path | None:
        """The path under which this folder was met before; remembers the folder."""
        facts = folder.stat()
        known = self._seen.setdefault((facts.st_dev, facts.st_ino), folder)
        return None if known is folder else known


def _check_link(entry: os.DirEntry[str]) -> None:
    """Refuse a link that leads nowhere: its images would be missing in silence."""
    if entry.is_symlink() and not os.path.exists(entry.path):
        raise DataMissingError(f"{entry.path}: is a link that leads nowhere")


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        yield from sorted(entries, key=lambda entry: entry.name)


def _kind(name: str) -> str:
    suffix = Path(name).suffix.lower()
    return f"files that end in {suffix}" if suffix else "files without a suffix"
