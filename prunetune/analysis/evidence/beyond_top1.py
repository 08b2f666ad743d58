"""Beyond top-1, from the stored outputs for every test image: likelihood, calibration, classes.

Two networks of equal accuracy can differ in how sure they are, in which classes they fail, and in
how far they follow the dense network. Every figure is a mean over confirm seeds with its t
interval. Outputs are read one network at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prunetune.analysis.evidence.confirmed import ConfirmedStudy
from prunetune.plan import Plan
from prunetune.records.files import StoredFile
from prunetune.records.record import Frozen, Record
from prunetune.statistics.intervals import Estimate, mean_interval

BINS = 15
"""Bins of equal width in the calibration error (Guo et al., 2017, 1706.04599)."""
MOST_CLASSES = 100
"""With more classes, per-class accuracies are left out."""
OutputsOf = Callable[[Record], StoredFile | None]


class BeyondTop1(Frozen):
    """One study, or the dense networks (`dense`). Interval ends are None with one network."""

    study: str
    networks: int
    """Networks whose outputs were kept."""
    nll: Estimate
    """Mean negative log likelihood of the right class, in nats."""
    calibration_error: Estimate
    """Expected calibration error over `BINS` bins: how far confidence is from accuracy."""
    disagreement: Estimate | None = None
    """Share of test images that the network and its dense network classify differently, whichever
    is right. For networks from scratch: the dense network of the same seed, or the search's. None
    for the dense networks, and where the dense network's outputs were not kept."""
    classes: tuple[Estimate, ...] = ()
    """Accuracy on each class; empty above `MOST_CLASSES` classes."""


@dataclass(frozen=True)
class _Measured:
    nll: float
    calibration_error: float
    classes: NDArray[np.float64]
    predicted: NDArray[np.int32]


def beyond_top1(
    plan: Plan,
    records: Mapping[str, Record],
    confirmed: Mapping[str, ConfirmedStudy],
    outputs_of: OutputsOf,
) -> tuple[BeyondTop1, ...]:
    """The dense networks and every study of which at least one network's outputs were kept."""
    dense = {r.key: r for r in records.values() if r.phase == "dense"}
    measured = dict(_measured(dense.values(), outputs_of))
    rows = [_row(plan, "dense", list(measured.values()), ())] if measured else []
    for study_id, of_study in confirmed.items():
        networks = dict(_measured(of_study.outcome.confirmed, outputs_of))
        if networks:
            parents = {key: _dense_of(records[key], dense.values()) for key in networks}
            follow = [
                float(np.mean(networks[key].predicted != measured[parent].predicted))
                for key, parent in parents.items()
                if parent in measured
            ]
            rows.append(_row(plan, study_id, list(networks.values()), follow))
    return tuple(rows)


def negative_log_likelihood(log_probs: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    """Mean over images of -log p(right class)."""
    return float(-log_probs[np.arange(len(labels)), labels].mean())


def calibration_error(log_probs: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    """Mean over images of |accuracy - confidence| of their bin of confidence."""
    confidence = np.exp(log_probs.max(1))
    right = log_probs.argmax(1) == labels
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = np.bincount(bins, right - confidence, minlength=BINS)
    return float(np.abs(gaps).sum() / len(labels))


def _measured(records: Iterable[Record], outputs_of: OutputsOf) -> Iterator[tuple[str, _Measured]]:
    for record in records:
        file = outputs_of(record)
        if file is not None and (found := _read(file)) is not None:
            yield record.key, found


def _read(file: StoredFile) -> _Measured | None:
    """The figures of one network; None if an older version wrote its outputs."""
    from safetensors import safe_open

    with file.local() as path, safe_open(path, framework="np") as tensors:
        if not {"log_probs", "labels"} <= set(tensors.keys()):
            return None
        log_probs = tensors.get_tensor("log_probs").astype(np.float64)
        labels = tensors.get_tensor("labels").astype(np.int64)
    predicted = log_probs.argmax(1).astype(np.int32)
    classes = log_probs.shape[1]
    images = np.bincount(labels, minlength=classes)
    right = np.bincount(labels[predicted == labels], minlength=classes)
    return _Measured(
        negative_log_likelihood(log_probs, labels),
        calibration_error(log_probs, labels),
        right / np.maximum(images, 1),
        predicted,
    )


def _dense_of(record: Record, dense: Iterable[Record]) -> str | None:
    """The key of the dense network that a network is compared with."""
    if "dense" in record.inputs:
        return record.inputs["dense"]
    networks = sorted(dense, key=lambda r: (r.seed != record.seed, r.seed))
    return networks[0].key if networks else None


def _row(
    plan: Plan, name: str, networks: Sequence[_Measured], follow: Sequence[float]
) -> BeyondTop1:
    classes = np.array([network.classes for network in networks])
    shown = classes.T if classes.shape[1] <= MOST_CLASSES else ()
    return BeyondTop1(
        study=name,
        networks=len(networks),
        nll=mean_interval([network.nll for network in networks]),
        calibration_error=mean_interval([n.calibration_error for n in networks]),
        disagreement=mean_interval(follow, 1 / plan.test_size) if follow else None,
        classes=tuple(mean_interval(list(map(float, values))) for values in shown),
    )
