"""Dense: the control without compression. It shows what further training alone would give."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import ClassVar

from prunetune.compress.method import CompactModel, Context, Target
from prunetune.config.budget import BudgetKind
from prunetune.config.parts import Params
from prunetune.plan import Reach
from prunetune.records.architecture import Architecture
from prunetune.registry import methods


class DenseParams(Params):
    """`dense` has no parameters."""


@methods.register("dense", params=DenseParams)
class Dense:
    """The dense network, trained further for the epochs of fine-tuning."""

    inherits: ClassVar[bool] = True
    takes_architecture: ClassVar[bool] = False
    budgets: ClassVar[frozenset[BudgetKind]] = frozenset()

    def __init__(self, params: DenseParams) -> None:
        self.params = params

    def run(self, context: Context) -> CompactModel:
        """A copy of the dense network with its weights."""
        assert context.dense is not None, "dense needs the dense network"
        return CompactModel(
            copy.deepcopy(context.dense), context.architecture, context.target.dense_macs
        )

    def reach(self, architecture: Architecture, targets: Sequence[Target]) -> tuple[Reach, ...]:
        """The dense MACs, whatever the target."""
        return tuple(
            Reach(smallest_macs=target.dense_macs, nearest_macs=target.dense_macs, within=True)
            for target in targets
        )
