"""ONNX, as one file: input `images`, output `logits`, batches of any size."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn

from prunetune.deploy.formats.kind import MissingExtraError, RunImages

_NOISY = ("onnxscript", "onnx_ir", "torch.onnx")


class OnnxFile:
    """Written by torch's exporter, run by onnxruntime on the CPU; the facts are its metadata."""

    suffix = ".onnx"

    def write(
        self, model: nn.Module, example: Tensor, facts: Mapping[str, str], path: Path
    ) -> None:
        """See `FileKind`."""
        with _extra():
            import onnx
            import onnxscript  # noqa: F401  (torch's exporter writes with it)
        with _quiet():
            program = torch.onnx.export(
                model,
                (example,),
                dynamo=True,
                dynamic_shapes=({0: torch.export.Dim("batch")},),
                input_names=["images"],
                output_names=["logits"],
                verbose=False,
            )
        assert program is not None
        proto = program.model_proto
        onnx.helper.set_model_props(proto, dict(facts))
        onnx.checker.check_model(proto)
        path.write_bytes(proto.SerializeToString())

    def read(self, path: Path) -> RunImages:
        """See `FileKind`."""
        with _extra():
            import onnxruntime
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])

        def run(images: Tensor) -> Tensor:
            (logits,) = session.run(["logits"], {"images": images.contiguous().numpy()})
            return torch.from_numpy(logits)

        return run


@contextmanager
def _extra() -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise MissingExtraError(
            f"ONNX needs the package {error.name}, which is not installed: "
            "pip install 'prunetune[onnx]'"
        ) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter's notes on its own progress from the console."""
    levels = {name: logging.getLogger(name).level for name in _NOISY}
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
