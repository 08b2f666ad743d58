"""Which test images a network got right: what a difference on new images depends on.

Networks are read from the stored outputs once and kept as one byte per image.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from prunetune.analysis.evidence.samples import Sample
from prunetune.records.files import StoredFile
from prunetune.records.record import Record

Hits = NDArray[np.bool_]
ImageScores = NDArray[np.float64]


class TestImages:
    """The test images that each network of a sweep got right.

    Args:
        outputs_of: The file with a record's outputs (`Store.test_outputs_of`), or None.
    """

    __test__ = False  # not a test, whatever its name says to pytest

    def __init__(self, outputs_of: Callable[[Record], StoredFile | None]) -> None:
        self._outputs_of = outputs_of
        self._hits: dict[str, Hits | None] = {}

    def hits(self, record: Record) -> Hits | None:
        """One entry per test image; None where predictions or labels were not kept."""
        if record.key not in self._hits:
            self._hits[record.key] = self._read(record)
        return self._hits[record.key]

    def _read(self, record: Record) -> Hits | None:
        from safetensors import safe_open

        file = self._outputs_of(record)
        if file is None:
            return None
        with file.local() as path, safe_open(path, framework="np") as tensors:
            if not {"labels", "predicted"} <= set(tensors.keys()):  # written by an older version
                return None
            right: Hits = tensors.get_tensor("labels") == tensors.get_tensor("predicted")
        return right


NO_IMAGES = TestImages(lambda record: None)
"""A sweep whose outputs were not kept."""


def scores(sample: Sample, images: TestImages) -> ImageScores | None:
    """The sample's values image by image, of shape (values, images), in the order of their keys.

    A value that is a search is the mean of its confirm seeds. None if the outputs of one network
    were not kept.
    """
    rows: dict[int, list[Hits]] = {}
    for confirmed in sample.studies:
        for seed, record in confirmed.records.items():
            place = confirmed.study.replicate if sample.by_search else seed
            if place in sample.values:
                hits = images.hits(record)
                if hits is None:
                    return None
                rows.setdefault(place, []).append(hits)
    return np.array([np.mean(rows[place], axis=0) for place in sorted(rows)]) if rows else None


def frontier_scores(
    samples: Sequence[Sample], images: TestImages, weights: NDArray[np.float64]
) -> ImageScores | None:
    """One arm's hits on each image, summed over budgets with `weights`, of shape (seeds, images).

    Equal weights that sum to one give the mean over the budgets; those of a least-squares slope
    give the slope. Only seeds that were confirmed at every budget count. None if there is none, or
    if outputs of one network were not kept.
    """
    records = [
        {seed: record for c in sample.studies for seed, record in c.records.items()}
        for sample in samples
    ]
    rows = []
    for seed in sorted(set.intersection(*map(set, records))):
        hits = [h for at in records if (h := images.hits(at[seed])) is not None]
        if len(hits) < len(records):
            return None
        rows.append(np.dot(weights, np.asarray(hits, np.float64)))
    return np.array(rows) if rows else None
