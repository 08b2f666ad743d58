"""Exports a trial's network to a file that is checked, before it appears, against the original."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Literal, get_args

import torch
from pydantic import BaseModel
from torch import Tensor, nn

from prunetune.deploy.formats.kind import FileKind, RunImages
from prunetune.deploy.images import validation_images
from prunetune.deploy.trained import trained_network
from prunetune.records.files import StorageError
from prunetune.records.record import Record, TrialSpec
from prunetune.records.store import Store
from prunetune.workload import Workload

FormatName = Literal["safetensors", "torch_export", "onnx"]
FORMAT_NAMES: tuple[FormatName, ...] = get_args(FormatName)
LOGIT_TOLERANCE = 1e-4
"""The largest difference of a logit, between the file and the original, that is let pass."""
IMAGES = 256
"""Images on which both are compared."""
_CHUNK = 64


class DisagreementError(ValueError):
    """The exported network gives other outputs than the original."""

    exit_code = 1


class Exported(BaseModel):
    """A file that was written, and how well it agrees with the original."""

    file: str
    format: FormatName
    size_bytes: int
    images: int
    """Validation images on which both were compared."""
    max_difference: float
    """The largest difference of any logit."""
    tolerance: float
    same_class: int
    """Images to which both assign the same class."""


def export_network(
    store: Store,
    record: Record,
    format_name: FormatName,
    path: Path,
    *,
    tolerance: float = LOGIT_TOLERANCE,
    download: bool = True,
) -> Exported:
    """Write the network of a finished trial to `path`, whole or not at all.

    Args:
        store: the trial's sweep.
        record: the trial.
        format_name: the kind of file.
        path: the file; one that is there already is replaced, once the new one has been checked.
        tolerance: the largest difference of a logit that is let pass.
        download: whether a missing data set may be fetched.

    Raises:
        NoNetworkError: the trial kept no weights.
        MissingExtraError: the format needs packages that are not installed.
        DisagreementError: the outputs differ by more than the tolerance; nothing is written.
        DataMissingError: the data set's files are missing.
        StorageError: the file cannot be written.
    """
    model, spec = trained_network(store, record), store.trial(record.key)
    images = validation_images(spec, IMAGES, download=download)
    kind = file_kind(format_name)
    with _scratch(path) as scratch:
        kind.write(model, images[:2], _facts(record, spec), scratch)
        expected, actual = _outputs(model, images), _outputs(kind.read(scratch), images)
        exported = Exported(
            file=str(path),
            format=format_name,
            size_bytes=scratch.stat().st_size,
            images=len(images),
            max_difference=(expected - actual).abs().max().item(),
            tolerance=tolerance,
            same_class=int((expected.argmax(1) == actual.argmax(1)).sum()),
        )
        if not exported.max_difference <= tolerance:  # NaN differs as well
            raise DisagreementError(
                f"{path} is not written: on {len(images)} images its logits differ from those of "
                f"trial {record.key} by up to {exported.max_difference:.3g}, and "
                f"{tolerance:g} is allowed"
            )
        scratch.replace(path)
    return exported


def file_kind(name: FormatName) -> FileKind:
    """The kind of file of this name."""
    if name == "onnx":
        from prunetune.deploy.formats.onnx_file import OnnxFile

        return OnnxFile()
    if name == "torch_export":
        from prunetune.deploy.formats.torch_export_file import TorchExportFile

        return TorchExportFile()
    from prunetune.deploy.formats.safetensors_file import SafetensorsFile

    return SafetensorsFile()


def _outputs(run: RunImages | nn.Module, images: Tensor) -> Tensor:
    with torch.inference_mode():
        return torch.cat([run(part).float() for part in torch.split(images, _CHUNK)])


def _facts(record: Record, spec: TrialSpec) -> dict[str, str]:
    """What a reader of the file should know: how to feed it, and where it comes from."""
    assert record.architecture is not None
    info = Workload.from_json(spec.workload).info
    shape = ", ".join(map(str, info.shape))
    facts = {
        "prunetune": version("prunetune"),
        "trial": record.key,
        "sweep": record.sweep,
        "study": record.study or "dense",
        "macs": record.macs,
        "params": record.params,
        "test_acc1": record.test_acc1,
        "input": f"float32, (N, {shape}): pixels in [0, 1], normalised by mean and std",
        "mean": list(info.mean),
        "std": list(info.std),
        "classes": info.classes,
    }
    texts = {k: v if isinstance(v, str) else json.dumps(v) for k, v in facts.items()}
    return {**texts, "architecture": record.architecture.model_dump_json()}


@contextmanager
def _scratch(path: Path) -> Iterator[Path]:
    """A file beside `path` that is gone afterwards, unless it has taken the place of `path`."""
    scratch = path.with_name(f".{uuid.uuid4().hex[:8]}-{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield scratch
    except OSError as error:
        if hasattr(error, "exit_code") or isinstance(error, StorageError):
            raise
        raise StorageError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        scratch.unlink(missing_ok=True)
