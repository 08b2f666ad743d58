"""CP: remove channels that a LASSO regression of the readers' outputs drops.

He et al., ICCV 2017, 1707.06168. The readers are the layers that take the channels as input, see
`scoring/readers.py`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from prunetune.compress.criterion import About, Scene
from prunetune.compress.graph.groups import Group
from prunetune.compress.scoring.bases import BaseCriterion
from prunetune.compress.scoring.readers import grams, is_read
from prunetune.compress.scoring.refit import RefitParams, damped_solution, refit
from prunetune.registry import criteria

_ROWS_PER_WEIGHT = 3
"""Fewest rows, per weight of one output, for a fit of all weights.

Least squares with hardly more equations than unknowns fail on other images. On one made-up reader,
the error compared with no fit was 35 times at 1.0 rows per weight, 2.6 at 1.25, 1.5 at 1.5, 0.75 at
3 and 0.55 at 10."""


class CpParams(RefitParams):
    """Parameters of `cp`."""


@criteria.register("cp", params=CpParams)
class Cp(BaseCriterion[CpParams]):
    """The LASSO penalty up to which a channel is needed to rebuild its readers' outputs.

    The LASSO is min over β of ½ Σ_p ‖y_p - Σ_i β_i x_pi‖² + λ ‖β‖₁, where y_p is the sum of the
    contributions x_pi of the group's channels. The rows of several readers are stacked, each
    reader's divided by the norm of its output. A channel scores the λ at which its β_i leaves zero,
    so a given λ keeps the channels that score above it.
    """

    about = About(
        paper="He et al., ICCV 2017, 1707.06168",
        cost="one forward pass; refit: two more, and least squares per reader",
        differs="Missing in torch-pruning; other libraries often score |β| without penalty and do "
        "not refit.",
    )
    needs = "activations"

    def applies(self, model: nn.Module, group: Group) -> bool:
        """True if convolutions or linear layers read the group."""
        return is_read(model, group)

    def score(self, scene: Scene) -> list[Tensor]:
        """See `Criterion`."""
        return [lasso_scores(gram) for gram in grams(scene, "cp", self.params)]

    def refit(self, scene: Scene, compact: nn.Module, kept: Sequence[Sequence[int]]) -> None:
        """Fit all weights of the readers by least squares; see `Refitting`.

        A reader keeps its weights if too few rows were sampled for a fit that is not chance.
        """
        if self.params.refit:
            refit(scene, compact, kept, "cp", self.params, WeightFit)


def lasso_scores(gram: Tensor) -> Tensor:
    """The penalty at which each unit enters the regression of the sum of all contributions."""
    from threadpoolctl import threadpool_limits

    from prunetune.compress.scoring.lasso import entry_penalties  # imports scipy: not for `plan`

    contributions = gram.numpy()
    with threadpool_limits(torch.get_num_threads()):  # numpy gets the trial's threads, not all
        return torch.from_numpy(entry_penalties(contributions, contributions.sum(1)))


class WeightFit:
    """min over ΔW of Σ ‖missing - ΔW x‖², from the second moments of x."""

    def __init__(self, weight: Tensor, rows: int) -> None:
        self._shape = weight.shape
        groups, outputs, channels, taps = weight.shape
        self._determined = rows >= _ROWS_PER_WEIGHT * channels * taps
        size = channels * taps if self._determined else 0
        self._gram = weight.new_zeros(groups, size, size)
        self._cross = weight.new_zeros(groups, size, outputs)

    def add(self, inputs: Tensor, missing: Tensor) -> None:
        """See `Fit`."""
        if self._determined:
            x = inputs.flatten(2)
            self._gram += x.mT @ x
            self._cross += x.mT @ missing

    def change(self) -> Tensor:
        """See `Fit`."""
        if not self._determined:
            return self._cross.new_zeros(self._shape)
        return damped_solution(self._gram, self._cross).mT.reshape(self._shape)
