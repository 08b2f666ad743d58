"""The contract of a kind of file: written from a network, and run again from the file alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from torch import Tensor, nn

RunImages = Callable[[Tensor], Tensor]
"""Float32 images (N, C, H, W), normalised -> float32 logits (N, classes); N may be any number."""


class MissingExtraError(ImportError):
    """A kind of file needs packages that are not installed."""

    exit_code = 2


class FileKind(Protocol):
    """One kind of file."""

    suffix: str

    def write(
        self, model: nn.Module, example: Tensor, facts: Mapping[str, str], path: Path
    ) -> None:
        """Write the network and the facts.

        Args:
            model: the network, in evaluation mode on the CPU.
            example: two images.
            facts: what a reader should know, by name; `architecture` is JSON.
            path: the file.

        Raises:
            MissingExtraError: packages are missing.
        """

    def read(self, path: Path) -> RunImages:
        """What runs the network in the file; it knows nothing but the file."""
