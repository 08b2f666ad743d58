"""What is being learned: a data set with its splits, and the dense network it is learned by."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from prunetune.compress.budget.costs import count_macs
from prunetune.compress.network.rebuild import architecture_of, rebuild
from prunetune.config.parts import Named
from prunetune.models.pretrained import WeightsFileError, load_state, match_state
from prunetune.records.key import canonical, digest
from prunetune.registry import datasets, models

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

    Nothing is opened or built before it is asked for; facts about the data set are constants.
    """

    model: Named
    dataset: Named
    seed: int
    """The sweep's seed: it names the split into training and validation images."""
    weights: Weights | None = None
    """Where the dense network's weights come from; None where it is trained."""

    @classmethod
    def from_json(cls, facts: dict[str, Any]) -> Workload:
        """The workload that `to_json` described; one object per process and description."""
        return _workload(canonical(facts))

    def to_json(self) -> dict[str, Any]:
        """All that a worker needs to make this workload again."""
        return {
            "model": self.model.model_dump(mode="json"),
            "dataset": self.dataset.model_dump(mode="json"),
            "seed": self.seed,
            "weights": asdict(self.weights) if self.weights else None,
        }

    @cached_property
    def data(self) -> Any:
        """The data set part: `info()`, `digest()`, `open(…)`."""
        entry = datasets.get(self.dataset.name)
        return entry.part(entry.params.model_validate(self.dataset.params))

    @cached_property
    def info(self) -> Any:
        """Shape, classes, sizes and normalisation of the data set."""
        return self.data.info()

    def data_key(self) -> str:
        """Digest of the data set's files, its options and the seed of its split."""
        return digest({"data": self.data.digest(), "seed": self.seed})

    @cached_property
    def family(self) -> Any:
        """The family of the dense model."""
        return models.get(self.model.name).part

    @cached_property
    def params(self) -> Any:
        """The dense model's parameters, checked."""
        return models.get(self.model.name).params.model_validate(self.model.params)

    def build(self) -> nn.Module:
        """The dense network, on the current default device, weights as torch makes them."""
        built: nn.Module = self.family.build(self.params, self.info.classes, self.info.shape)
        return built

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
        with torch.device("meta"):
            return count_macs(self.build(), self.info.shape)

    @cached_property
    def n_params(self) -> int:
        """Parameters of the dense network."""
        with torch.device("meta"):
            return sum(p.numel() for p in self.build().parameters())

    def dense_state(self) -> dict[str, torch.Tensor]:
        """The state dict of `weights`; WeightsFileError if the file is not what the plan saw."""
        assert self.weights is not None
        if self.weights.path is None:
            state: dict[str, torch.Tensor] = self.family.published(self.weights.name)
            return state
        return load_state(self.weights.path, sha256=self.weights.sha256)

    def open(self, device: torch.device, *, download: bool) -> Any:
        """The splits, as tensors on `device` or as streams."""
        return self.data.open(self.seed, device, download)


def find_weights(
    workload: Workload, *, path: str | None = None, name: str | None = None
) -> Weights:
    """The weights in a file, seen to be those of the dense network; or torchvision's by name.

    Raises WeightsFileError if the file cannot be read, is foreign, or is of another network, or if
    there are no weights of that name and for as many classes.
    """
    if path is None:
        told = getattr(workload.family, "published_classes", None)
        if told is not None and (classes := told(name)) != workload.info.classes:
            raise WeightsFileError(
                f"{name}: tells {classes} classes apart, the data set has {workload.info.classes}"
            )
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

    Raises:
        WeightsFileError: the file cannot be read, or its weights are not those of the network.
    """
    model = rebuild(architecture)
    model.load_state_dict(match_state(model, load_state(path)))
    return model


@lru_cache(maxsize=8)
def _workload(text: str) -> Workload:
    facts = json.loads(text)
    return Workload(
        model=Named.model_validate(facts["model"]),
        dataset=Named.model_validate(facts["dataset"]),
        seed=facts["seed"],
        weights=Weights(**facts["weights"]) if facts.get("weights") else None,
    )
