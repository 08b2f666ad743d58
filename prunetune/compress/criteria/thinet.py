"""ThiNet: greedily remove the channel whose removal changes the next layers' output least.

Luo et al., ICCV 2017, 1707.06342. The next layers are the readers of `scoring/readers.py`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from prunetune.compress.criterion import About, Scene
from prunetune.compress.graph.groups import Group
from prunetune.compress.scoring.bases import BaseCriterion
from prunetune.compress.scoring.readers import gram, grams, is_read
from prunetune.compress.scoring.refit import RefitParams, damped_solution, refit
from prunetune.registry import criteria


class ThinetParams(RefitParams):
    """Parameters of `thinet`."""


@criteria.register("thinet", params=ThinetParams)
class Thinet(BaseCriterion[ThinetParams]):
    """Error of the readers' outputs once a channel and all before it are removed greedily.

    Each step removes the channel for which Σ_p ‖Σ_{i removed} x_pi‖² is smallest, where x_pi is the
    contribution of channel i at position p. Each reader's error is divided by the energy of its
    output, and the readers' errors are added.
    """

    about = About(
        paper="Luo et al., ICCV 2017, 1707.06342",
        cost="one forward pass; refit: two more, and least squares per reader",
        differs="Missing in torch-pruning; other libraries often score the norm of a channel's own "
        "contribution to the output, neither greedily nor with a refit. All outputs of a position "
        "count, not one drawn at random.",
    )
    needs = "activations"

    def applies(self, model: nn.Module, group: Group) -> bool:
        """True if convolutions or linear layers read the group."""
        return is_read(model, group)

    def score(self, scene: Scene) -> list[Tensor]:
        """See `Criterion`."""
        return [greedy_scores(gram) for gram in grams(scene, "thinet", self.params)]

    def refit(self, scene: Scene, compact: nn.Module, kept: Sequence[Sequence[int]]) -> None:
        """Fit one scale per input channel of the readers by least squares; see `Refitting`."""
        if self.params.refit:
            refit(scene, compact, kept, "thinet", self.params, ScaleFit)


def greedy_scores(gram: Tensor) -> Tensor:
    """Each unit's error at its removal, made to rise strictly in the order of removal.

    The error itself can fall, since contributions may cancel. So a unit scores the largest error so
    far, and at least the next larger float than the unit before; ranking the scores then gives the
    order of removal.
    """
    order, errors = greedy_removal(gram.numpy())
    scores = np.empty_like(errors)
    last = -np.inf
    for unit, error in zip(order, errors, strict=True):
        last = scores[unit] = max(error, np.nextafter(last, np.inf))
    return torch.from_numpy(scores)


def greedy_removal(
    gram: npt.NDArray[np.float64],
) -> tuple[list[int], npt.NDArray[np.float64]]:
    """The units in the order of removal, and the error Σ_{i, j removed} G_ij after each removal.

    Of units with equal errors, the first in the group goes first.
    """
    energy, cross = gram.diagonal(), np.zeros(len(gram))  # cross: Σ_{j removed} G_ij
    remains = np.ones(len(gram), dtype=bool)
    order, errors, error = [], np.empty(len(gram)), 0.0
    for step in range(len(gram)):
        increase = np.where(remains, energy + 2 * cross, np.inf)
        unit = int(increase.argmin())
        error = max(0.0, error + float(increase[unit]))
        order.append(unit)
        errors[step], remains[unit] = error, False
        cross += gram[unit]
    return order, errors


class ScaleFit:
    """min over s of Σ ‖missing - Σ_i (s_i - 1) x_i‖², x_i the contribution of input channel i."""

    def __init__(self, weight: Tensor, rows: int) -> None:
        groups, outputs, channels, _ = weight.shape
        self._weight = weight
        self._determined = rows * outputs >= channels
        self._gram = weight.new_zeros(groups, channels, channels)
        self._cross = weight.new_zeros(groups, channels, 1)

    def add(self, inputs: Tensor, missing: Tensor) -> None:
        """See `Fit`."""
        pairs = zip(torch.split(inputs, 1), torch.split(self._weight, 1), strict=True)
        self._gram += torch.stack([gram(x, weight) for x, weight in pairs])
        back = torch.einsum("gro,gocn->grcn", missing, self._weight)
        self._cross += (inputs * back).sum((1, 3))[..., None]

    def change(self) -> Tensor:
        """See `Fit`."""
        if not self._determined:
            return torch.zeros_like(self._weight)
        scale_changes = damped_solution(self._gram, self._cross)
        return scale_changes[:, None] * self._weight
