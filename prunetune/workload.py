"""The learning task of a sweep: a data set with its splits, and the dense network."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from prunetune.compress.budget.costs import count_macs
from prunetune.compress.budget.counting import count_by_module
from prunetune.compress.network.rebuild import architecture_of, rebuild
from prunetune.compress.network.undrawn import undrawn
from prunetune.config.parts import Named
from prunetune.models.pretrained import WeightsFileError, load_state, match_state
from prunetune.records.key import canonical, digest
from prunetune.records.seeds import child_seed
from prunetune.registry import datasets, models
from prunetune.user_code.params import ClassParams

if TYPE_CHECKING:
    from torch import nn

    from prunetune.records.architecture import Architecture


@dataclass(frozen=True)
class Weights:
    """Published weights: a file by path and SHA-256, or torchvision's by name."""

    path: str | None = None
    sha256: str | None = None
    name: str | None = None


@dataclass(frozen=True)
class Workload:
    """A data set, a dense model and the seed that splits the data.

    Data are opened, and networks built, only when a caller asks for them. Sizes, shape and classes
    of the data set are constants.
    """

    model: Named
    dataset: Named
    seed: int
    """The sweep's seed. With the replicate it determines the split into training and validation
    images."""
    weights: Weights | None = None
    """The weights of a dense network that is loaded; None where the sweep trains it."""
    replicate: int = 0
    """The replicate of the search: each has a split of its own into training and validation."""

    @classmethod
    def from_json(cls, facts: dict[str, Any]) -> Workload:
        """The workload that `to_json` described; a process has one object per description."""
        return _workload(canonical(facts))

    def to_json(self) -> dict[str, Any]:
        """The description from which a worker makes this workload again."""
        return {
            "model": self.model.model_dump(mode="json"),
            "dataset": self.dataset.model_dump(mode="json"),
            "seed": self.seed,
            "weights": asdict(self.weights) if self.weights else None,
            **({"replicate": self.replicate} if self.replicate else {}),
        }

    @cached_property
    def data(self) -> Any:
        """The data set, with `info()`, `digest()` and `open(…)`."""
        return datasets.make(self.dataset)

    @cached_property
    def info(self) -> Any:
        """The shape, classes, sizes and normalisation of the data set."""
        # The first reader may be building the network on "meta"; a data set keeps what it finds.
        with torch.device("cpu"):
            return self.data.info()

    def data_key(self) -> str:
        """Digest of the data set's files, its options and the seed of its split."""
        return digest({"data": self.data.digest(), "seed": self.seed})

    @cached_property
    def family(self) -> Any:
        """The model family that the dense network belongs to."""
        return models.get(self.model.name).part

    @cached_property
    def params(self) -> Any:
        """The checked parameters of the dense model."""
        return models.checked(self.model)[1]

    def modules(self) -> tuple[str, ...]:
        """The modules that have the classes of the user's which this workload names."""
        checked = (models.checked(self.model)[1], datasets.checked(self.dataset)[1])
        return tuple(params.module for params in checked if isinstance(params, ClassParams))

    def build(self) -> nn.Module:
        """The dense network on torch's default device, with torch's own initial weights."""
        model: nn.Module = self.family.build(self.params, self.info.classes, self.info.shape)
        return model

    @cached_property
    def architecture(self) -> Architecture:
        """The dense network as data."""
        with torch.device("meta"):
            model = self.build()
        params = self.params.model_dump(mode="json", exclude_defaults=True)
        return architecture_of(model, self.model.name, params, self.info.classes, self.info.shape)

    @cached_property
    def macs(self) -> int:
        """MACs of the dense network at batch 1."""
        with undrawn():
            model = self.build()
        return count_macs(model, self.info.shape)

    @cached_property
    def uncounted(self) -> dict[str, tuple[str, ...]]:
        """Module of the dense network -> the functions it calls whose MACs nobody counts."""
        with undrawn():
            model = self.build()
        found = count_by_module(model, self.info.shape).uncounted
        return {module: tuple(sorted(functions)) for module, functions in found.items()}

    @cached_property
    def n_params(self) -> int:
        """The number of parameters of the dense network."""
        with torch.device("meta"):
            return sum(p.numel() for p in self.build().parameters())

    def dense_state(self) -> dict[str, torch.Tensor]:
        """The state dict of `weights`.

        Raises:
            WeightsFileError: the file has changed since the plan was made, or cannot be read.
        """
        assert self.weights is not None
        if self.weights.path is None:
            state: dict[str, torch.Tensor] = self.family.published(self.weights.name)
            return state
        return load_state(self.weights.path, sha256=self.weights.sha256)

    def open(self, device: torch.device, *, download: bool) -> Any:
        """The splits of the data set, as tensors on `device` or as streams."""
        seed = self.seed
        if self.replicate:  # another search, so that one lucky split does not choose every recipe
            seed = child_seed(seed, "replicate", self.replicate)
        return self.data.open(seed, device, download)


def find_weights(
    workload: Workload, *, path: str | None = None, name: str | None = None
) -> Weights:
    """The weights in the file `path`, or torchvision's by name, checked against the dense network.

    Raises:
        WeightsFileError: the file cannot be read, holds no state dict, fits another network or has
            weights that are not finite; or there are no weights of this name for so many classes.
    """
    if path is None:
        published_classes = getattr(workload.family, "published_classes", None)
        if published_classes is not None:
            classes, expected = published_classes(name), workload.info.classes
            if classes != expected:
                message = f"{name}: tells {classes} classes apart, the data set has {expected}"
                raise WeightsFileError(message)
        return Weights(name=name)
    state = load_state(path)
    try:
        with torch.device("meta"):
            match_state(workload.build(), state)
    except WeightsFileError as error:
        raise WeightsFileError(f"{path}: {error}") from None
    full = Path(path).absolute()
    return Weights(path=str(full), sha256=hashlib.sha256(full.read_bytes()).hexdigest())


def load_network(architecture: Architecture, path: Path) -> nn.Module:
    """The network that `architecture` describes, with the weights in the file `path`, on the CPU.

    The file is one of ours. Its weights need not be finite: a network that diverged is a result.

    Raises:
        WeightsFileError: the file cannot be read, or its weights are not those of the network.
    """
    model = rebuild(architecture)
    model.load_state_dict(match_state(model, load_state(path), finite=False))
    return model


@lru_cache(maxsize=8)
def _workload(text: str) -> Workload:
    facts = json.loads(text)
    return Workload(
        model=Named.model_validate(facts["model"]),
        dataset=Named.model_validate(facts["dataset"]),
        seed=facts["seed"],
        weights=Weights(**facts["weights"]) if facts.get("weights") else None,
        replicate=facts.get("replicate", 0),
    )
