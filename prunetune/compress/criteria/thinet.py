"""ThiNet: channels that their readers miss least, one after the other (Luo et al., 1707.06342)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from prunetune.compress.criterion import About, Scene
from prunetune.compress.graph.groups import Group
from prunetune.compress.scoring.bases import CriterionBase
from prunetune.compress.scoring.readers import gram, grams, is_read
from prunetune.compress.scoring.refit import RefitParams, damped, refit
from prunetune.registry import criteria


class ThinetParams(RefitParams):
    """Parameters of `thinet`."""


@criteria.register("thinet", params=ThinetParams)
class Thinet(CriterionBase[ThinetParams]):
    """The error of the readers' outputs once a channel and all before it are removed, greedily.

    At each step goes the channel that makes Σ_p ‖Σ_{i removed} x_pi‖² smallest, x_pi being its
    contribution; each reader's error is divided by the energy of its output, and they are added.
    """

    about = About(
        paper="Luo et al., ICCV 2017, 1707.06342",
        cost="one forward pass; refit two more, and least squares per reader",
        differs="missing there; elsewhere often the norm of the output that a channel makes alone, "
        "neither greedy nor refitted. All outputs of a position count, not one drawn at random",
    )
    needs = "activations"

    def applies(self, model: nn.Module, group: Group) -> bool:
        """Where convolutions or linear layers read the group."""
        return is_read(model, group)

    def score(self, scene: Scene) -> list[Tensor]:
        """See `Criterion`."""
        return [greedy_scores(gram) for gram in grams(scene, "thinet", self.params)]

    def refit(self, scene: Scene, compact: nn.Module, kept: Sequence[Sequence[int]]) -> None:
        """Least squares for one scale per input channel of the readers; see `Refitting`."""
        if self.params.refit:
            refit(scene, compact, kept, "thinet", self.params, ScaleFit)


def greedy_scores(gram: Tensor) -> Tensor:
    """Each unit's error at its removal, rising strictly along the order of removal.

    The error itself may fall, where contributions cancel: the score is the largest so far, a bit
    more at each step, so that ranked scores repeat the order.
    """
    order, errors = greedy(gram.numpy())
    scores = np.empty_like(errors)
    last = -np.inf
    for unit, error in zip(order, errors, strict=True):
        last = scores[unit] = max(error, np.nextafter(last, np.inf))
    return torch.from_numpy(scores)


def greedy(
    gram: npt.NDArray[np.float64],
) -> tuple[list[int], npt.NDArray[np.float64]]:
    """Units in the order of removal, and the error Σ_{i, j removed} G_ij after each.

    Of equal ones the first goes first.
    """
    energy, along = gram.diagonal(), np.zeros(len(gram))  # along: Σ_{j removed} G_ij
    left = np.ones(len(gram), dtype=bool)
    order, errors, error = [], np.empty(len(gram)), 0.0
    for step in range(len(gram)):
        more = np.where(left, energy + 2 * along, np.inf)
        unit = int(more.argmin())
        error = max(0.0, error + float(more[unit]))
        order.append(unit)
        errors[step], left[unit] = error, False
        along += gram[unit]
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
        more = damped(self._gram, self._cross)
        return more[:, None] * self._weight
