"""torchvision's published weights by name, checked against the checksum in the file's name."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from prunetune.config.problems.errors import near_match
from prunetune.models.pretrained import WeightsFileError, load_state


def torchvision_weights(model: str, weights: str, *, download: bool) -> dict[str, Tensor]:
    """The state dict that torchvision publishes as `weights` of `model`, e.g. IMAGENET1K_V1.

    The file is looked for in torch.hub's folder, and downloaded if it is missing and `download`.

    Raises:
        WeightsFileError: the name is unknown, the file cannot be had, or its checksum is wrong.
    """
    url: str = _known(model, weights).url
    path = Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]
    if not path.exists():
        if not download:
            raise WeightsFileError(f"{model} {weights}: no file {path}; put {url} there")
        _download(url, path)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    if not sha256.startswith(_prefix(path)):
        raise WeightsFileError(f"{path}: SHA-256 is {sha256}, not the {_prefix(path)}… of its name")
    return {current_name(name): tensor for name, tensor in load_state(path).items()}


def torchvision_classes(model: str, weights: str) -> int:
    """The number of classes that `weights` of `model` were trained for.

    Raises:
        WeightsFileError: the name is unknown; the message lists the known ones.
    """
    return len(_known(model, weights).meta["categories"])


def _known(model: str, weights: str) -> Any:
    """torchvision's entry for these weights: their URL and what it states about them."""
    from torchvision.models import get_model_weights  # takes 4 s, so only where it is needed

    known = get_model_weights(model)
    if weights not in known.__members__:
        names = ", ".join(known.__members__)
        near = near_match(weights, known.__members__)
        hint = f"did you mean {near!r}? " if near else ""
        raise WeightsFileError(f"{model} has no weights {weights!r}; {hint}known: {names}")
    return known[weights]


def current_name(name: str) -> str:
    """The present name of a tensor: DenseNet's old files say `norm.1` for the module `norm1`."""
    return re.sub(r"(denselayer\d+\.(?:norm|conv))\.(?=[12]\.)", r"\1", name)


def _download(url: str, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:  # torch.hub writes to a temporary file and renames it, so no half-written file is left
        torch.hub.download_url_to_file(url, str(path), hash_prefix=_prefix(path), progress=False)
    except (OSError, RuntimeError) as error:
        raise WeightsFileError(f"{url} cannot be downloaded to {path}: {error}") from error


def _prefix(path: Path) -> str:
    """The first digits of the SHA-256, as torchvision writes them into the name of the file."""
    match = re.search(r"-([0-9a-f]{8,})\.", path.name)
    return match[1] if match else ""
