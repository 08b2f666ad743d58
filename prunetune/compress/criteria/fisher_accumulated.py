"""Fisher gathered in training mode, as Crowley et al. do between two removals (1810.04622).

In training mode batch norm takes its statistics from the batch, so an image's gradient contains its
effect on the other images. This is another statistic than `fisher`, so it has a name of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from prunetune.batches import in_batches
from prunetune.compress.criterion import About, Scene
from prunetune.compress.graph.groups import Group
from prunetune.compress.scoring.bases import BaseCriterion
from prunetune.compress.scoring.gate_gradients import GateParams, Joining, OpenGates, join_gates
from prunetune.compress.scoring.passes import passes
from prunetune.compress.scoring.per_unit import Normalize, normalized
from prunetune.registry import criteria


class FisherAccumulatedParams(GateParams):
    """Parameters of `fisher_accumulated`; images and batch matter for scoring without training."""

    batch: Annotated[int, Field(ge=1, description="images that share batch norm's statistics")] = (
        128
    )


@criteria.register("fisher_accumulated", params=FisherAccumulatedParams)
class FisherAccumulated(BaseCriterion[FisherAccumulatedParams]):
    """Half the mean squared gate gradient over the steps of a training.

    A schedule that trains between its cuts attaches `accumulator` to that training. Without
    training, the gradients come from batches of the scene's images, with constant weights; every
    image counts, those of a smaller last batch too.
    """

    about = About(
        paper="Crowley et al., 1810.04622",
        cost="nothing if there is training between cuts, else one forward and backward pass",
        differs="Missing in torch-pruning. The 1/batch of the mean loss is undone, so that scores "
        "of different batch sizes compare.",
    )
    needs = "gradients"

    def accumulator(self, model: nn.Module, groups: Sequence[Group]) -> FisherAccumulator:
        """See `Accumulating`."""
        return FisherAccumulator(model, groups, self.params.reduction, self.params.normalize)

    def score(self, scene: Scene) -> list[Tensor]:
        """See `Criterion`."""
        params = self.params
        with (
            torch.random.fork_rng(),  # dropout is on, as in training
            passes(scene, "fisher_accumulated", params.images, backward=True) as (model, chunks),
        ):
            torch.manual_seed(scene.generator.initial_seed())
            accumulator = self.accumulator(model.train(), scene.groups)
            accumulator.attach()
            for x, y in in_batches(chunks, params.batch):
                torch.autograd.backward(F.cross_entropy(model(x), y))
        return accumulator.scores()


class FisherAccumulator:
    """(1/2N) Σ_n q_n² over the images of all training steps while attached, per group.

    The training's loss must be a mean over the batch. Forward passes in eval mode or without
    gradients are ignored. The sums stay on the network's device.
    """

    def __init__(
        self,
        model: nn.Module,
        groups: Sequence[Group],
        reduction: Joining = "joint",
        normalize: Normalize = "none",
    ) -> None:
        self._model, self._groups = model, groups
        self._reduction, self._normalize = reduction, normalize
        self._gates: OpenGates | None = None
        self.reset()

    def attach(self) -> None:
        """See `Accumulator`."""
        if self._gates is None:
            self._gates = OpenGates(
                self._model,
                [group.gates for group in self._groups],
                enabled=lambda: self._model.training,
                on_complete=self._add_step,
            )

    def detach(self) -> None:
        """See `Accumulator`."""
        if self._gates is not None:
            self._gates.close()
            self._gates = None

    def reset(self) -> None:
        """See `Accumulator`."""
        self._sums: list[Tensor] = []
        self.images = 0

    def state_dict(self) -> dict[str, Tensor]:
        """See `Accumulator`."""
        sums = {str(group): total for group, total in enumerate(self._sums)}
        return {**sums, "images": torch.tensor(self.images)}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """See `Accumulator`."""
        device = next(self._model.parameters()).device
        self._sums = [state[str(group)].to(device) for group in range(len(state) - 1)]
        self.images = int(state["images"])

    def scores(self, kept: Sequence[Sequence[int]] | None = None) -> list[Tensor]:
        """See `Accumulator`.

        Raises:
            ValueError: no training step has run since the accumulator was made or reset.
        """
        if not self.images:
            raise ValueError("fisher_accumulated: no training step was watched; attach() it first")
        means = [(total / (2 * self.images)).mean(0).cpu() for total in self._sums]
        if kept is not None:
            means = [mean[list(units)] for mean, units in zip(means, kept, strict=True)]
        return [normalized(mean, self._normalize) for mean in means]

    def _add_step(self) -> None:
        """Add a training step whose gates all have their gradients."""
        assert self._gates is not None
        gradients = self._gates.take()
        images = gradients[0].shape[1]
        joined = [join_gates(q.double(), self._reduction) for q in gradients]
        squares = [(q * images).square().sum(1) for q in joined]  # undoes the mean loss's 1/images
        sums = self._sums or [torch.zeros_like(total) for total in squares]
        self._sums = [a + b for a, b in zip(sums, squares, strict=True)]
        self.images += images
