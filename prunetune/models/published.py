"""torchvision's published weights by name, checked against the sum in their file's name."""

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

    The file is looked for where torch.hub keeps it, and downloaded if missing and allowed;
    CheckpointError names the weights there are, the file that is missing, or a wrong checksum.
    """
    url: str = _known(model, weights).url
    path = Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]
    if not path.exists():
        if not download:
            raise WeightsFileError(f"{model} {weights}: no file {path}; put {url} there")
        _download(url, path)
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if not found.startswith(_prefix(path)):
        raise WeightsFileError(f"{path}: SHA-256 is {found}, not the {_prefix(path)}… of its name")
    return {current_name(name): tensor for name, tensor in load_state(path).items()}


def torchvision_classes(model: str, weights: str) -> int:
    """How many classes they tell apart; CheckpointError names the weights there are."""
    return len(_known(model, weights).meta["categories"])


def _known(model: str, weights: str) -> Any:
    """torchvision's entry."""
    from torchvision.models import get_model_weights  # 4 s: not at the module's import

    known = get_model_weights(model)
    if weights not in known.__members__:
        names = ", ".join(known.__members__)
        near = near_match(weights, known.__members__)
        hint = f"; did you mean {near!r}?" if near else ""
        raise WeightsFileError(f"{model} has no weights {weights!r}; known: {names}{hint}")
    return known[weights]


def current_name(name: str) -> str:
    """DenseNet's files still have `norm.1` where its modules are called `norm1`."""
    return re.sub(r"(denselayer\d+\.(?:norm|conv))\.(?=[12]\.)", r"\1", name)


def _download(url: str, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:  # written whole: into a temporary file, then renamed
        torch.hub.download_url_to_file(url, str(path), hash_prefix=_prefix(path), progress=False)
    except (OSError, RuntimeError) as error:
        raise WeightsFileError(f"{url} cannot be downloaded to {path}: {error}") from error


def _prefix(path: Path) -> str:
    match = re.search(r"-([0-9a-f]{8,})\.", path.name)
    return match[1] if match else ""
