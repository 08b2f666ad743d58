"""A criterion of your own: this file is the plug-in, and a program that holds it to its contract.

    python experiments/examples/own_criterion.py
    PYTHONPATH=experiments/examples prunetune sweep quickstart --set name=own-criterion \
        --set 'plugins=[own_criterion]' --set arms.pruned.method.channel_pruning.criterion=first

The first line checks the criterion in seconds, the second one runs a sweep that prunes by it.
"""

from __future__ import annotations

import torch

from prunetune.plugin import About, Group, GroupwiseCriterion, Params, Scene, criteria


class FirstParams(Params):
    """Parameters of `first`."""

    reverse: bool = False


@criteria.register("first", params=FirstParams)
class First(GroupwiseCriterion[FirstParams]):
    """A channel's place in its layer: the first channels go first. A control."""

    about = About(paper="none: a control", cost="nothing")

    def score_group(self, scene: Scene, group: Group) -> torch.Tensor:
        """One score a unit, low goes first."""
        places = torch.arange(group.width, dtype=torch.float64)
        return places.flip(0) if self.params.reverse else places


if __name__ == "__main__":
    from prunetune.testing import check_criterion

    for reverse in (False, True):
        check_criterion("first", {"reverse": reverse})
        print(f"first, reverse: {reverse}: the contract of a criterion holds")
