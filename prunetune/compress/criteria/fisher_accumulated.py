"""Fisher gathered in training mode, as Crowley et al. do between two removals (1810.04622).

Batch norm then takes its statistics from the batch, so that an image's gradient contains what it
does to the others: this is another statistic than `fisher`, and has a name of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from prunetune.compress.criterion import About, Scene
from prunetune.compress.graph.groups import Group
from prunetune.compress.scoring.bases import CriterionBase
from prunetune.compress.scoring.gate_gradients import GateParams, Joining, OpenGates, reduced
from prunetune.compress.scoring.passes import Chunks, passes
from prunetune.compress.scoring.per_unit import Normalize, normalized
from prunetune.registry import criteria


class FisherAccumulatedParams(GateParams):
    """Parameters of `fisher_accumulated`; images and batch are for scoring without training."""

    batch: Annotated[
        int, Field(ge=1, description="images whose statistics batch norm takes together")
    ] = 128


@criteria.register("fisher_accumulated", params=FisherAccumulatedParams)
class FisherAccumulated(CriterionBase[FisherAccumulatedParams]):
    """Half the mean squared gate gradient over the steps of a training.

    A schedule that trains between its cuts attaches `accumulator` to that training. Scored without
    training, the same is gathered over batches of the scene's images with weights that stand still.
    """

    about = About(
        paper="Crowley et al., 1810.04622",
        cost="nothing where training goes on between cuts, else one forward and backward pass",
        differs="not there; the mean loss's 1/batch is undone, so that batch sizes compare",
    )
    needs = "gradients"

    def accumulator(self, model: nn.Module, groups: Sequence[Group]) -> FisherAccumulator:
        """See `Accumulating`."""
        how = self.params
        return FisherAccumulator(model, groups, how.reduction, how.normalize)

    def score(self, scene: Scene) -> list[Tensor]:
        """See `Criterion`."""
        how = self.params
        with (
            torch.random.fork_rng(),  # dropout is on, as in training
            passes(scene, "fisher_accumulated", how.images, backward=True) as (model, chunks),
        ):
            torch.manual_seed(scene.generator.initial_seed())
            gathered = self.accumulator(model.train(), scene.groups)
            gathered.attach()
            for x, y in in_batches(chunks, how.batch):
                torch.autograd.backward(F.cross_entropy(model(x), y))
        return gathered.scores()


class FisherAccumulator:
    """(1/2N) Σ_n q_n² over the images of all training steps while attached, per group.

    The training's loss is taken to be a mean over the batch. Forward passes in eval mode or without
    gradients are not looked at. Sums stay on the network's device.
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
        """Begin to watch the network's training steps."""
        if self._gates is None:
            self._gates = OpenGates(
                self._model,
                [group.gates for group in self._groups],
                wanted=lambda: self._model.training,
                complete=self._add,
            )

    def detach(self) -> None:
        """Leave nothing on the network; what was gathered stays."""
        if self._gates is not None:
            self._gates.close()
            self._gates = None

    def reset(self) -> None:
        """Forget what was gathered."""
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
            ValueError: no training step was made since the accumulator was made or reset.
        """
        if not self.images:
            raise ValueError("fisher_accumulated: no training step was watched; attach() it first")
        means = [(total / (2 * self.images)).mean(0).cpu() for total in self._sums]
        if kept is not None:
            means = [mean[list(units)] for mean, units in zip(means, kept, strict=True)]
        return [normalized(mean, self._normalize) for mean in means]

    def _add(self) -> None:
        """Take in a step, all of whose gates have their gradients."""
        assert self._gates is not None
        found = self._gates.take()
        images = found[0].shape[1]
        squares = [(reduced(q.double(), self._reduction) * images).square().sum(1) for q in found]
        before = self._sums or [torch.zeros_like(total) for total in squares]
        self._sums = [a + b for a, b in zip(before, squares, strict=True)]
        self.images += images


def in_batches(chunks: Chunks, batch: int) -> Chunks:
    """The same images in batches of that many; a partial last one is dropped if it is not alone."""
    held: list[tuple[Tensor, Tensor]] = []
    alone = True
    for chunk in chunks:
        held.append(chunk)
        x, y = (torch.cat(parts) for parts in zip(*held, strict=True))
        whole = len(x) // batch * batch
        yield from zip(torch.split(x[:whole], batch), torch.split(y[:whole], batch), strict=True)
        held, alone = [(x[whole:], y[whole:])], alone and not whole
    if alone:
        yield held[0]
