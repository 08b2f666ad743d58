"""Arms that sparsify the dense network before they prune it: their epochs, and whether they can."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from prunetune.bind.cells import Cell
from prunetune.compress.network.rebuild import family_network
from prunetune.compress.regularizer import regularizing
from prunetune.config.file.model import SweepSpec
from prunetune.config.parts import Named
from prunetune.config.problems.errors import Problems, YamlPath
from prunetune.config.space.space import Choice, Constant, Space, any_value, subtree
from prunetune.plan import SPARSIFIER, Sparsifying
from prunetune.registry import regularizers
from prunetune.workload import Workload


def regularizers_of(space: Space) -> tuple[str | None, ...]:
    """The regularisers that a study may sparsify with; None stands for not sparsifying."""
    for dimension in space.dimensions:
        if dimension.path == SPARSIFIER:
            match dimension.domain:
                case Constant(value=value):
                    return (value,)
                case Choice(options=options):
                    return options
    return (None,)


def sparsifying(space: Space, sparsify_epochs: int, finetune_epochs: int) -> Sparsifying | None:
    """The epochs of trials that sparsify; None where no configuration of the space does."""
    if not any(regularizers_of(space)):
        return None
    return Sparsifying(epochs=sparsify_epochs, then=finetune_epochs)


def check_sparsifying(
    spec: SweepSpec, problems: Problems, cells: Sequence[Cell], workload: Workload | None
) -> None:
    """Refuse sparsifying for no epochs, and regularisers that find nothing in this network."""
    checked: set[tuple[str, str]] = set()
    for cell in cells:
        for name in filter(None, regularizers_of(cell.space)):
            if (cell.arm.name, name) in checked:
                continue
            if name not in regularizers.names():  # expanding the space has noted that
                continue
            checked.add((cell.arm.name, name))
            path = (*cell.arm.path, "sparsify")
            if not spec.training.sparsify_epochs:
                message = "sparsifies for no epochs"
                problems.add(path, message, allowed="training.sparsify_epochs of at least 1")
            elif workload is not None:
                _check_regularizer(_named(cell.space, name), workload, problems, path)


def _named(space: Space, name: str) -> Named:
    """The regulariser with some parameters of the space."""
    config = space.draw(lambda d: name if d.path == SPARSIFIER else any_value(d.domain))
    tree: Any = subtree(config, SPARSIFIER.rpartition(".")[0])
    return Named.model_validate(tree["regularizer"])


def _check_regularizer(
    named: Named, workload: Workload, problems: Problems, path: YamlPath
) -> None:
    with torch.device("meta"):
        model = family_network(workload.architecture)
    try:
        regularizing(named, model, workload.architecture, steps=1)
    except ValueError as error:
        problems.add((*path, "regularizer"), str(error), value=named.name)
