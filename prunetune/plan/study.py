"""A study: an arm at a budget under a matching, with the epochs of its trials and its reach."""

from __future__ import annotations

from prunetune.config.budget import RecordedBudget
from prunetune.config.parts import Params
from prunetune.config.space.space import Config, Space

BATCH_SIZE = "recipe.batch_size"
"""Where a configuration has the batch size of its training."""
SPARSIFY_BATCH_SIZE = "method.sparsify.recipe.batch_size"
"""Where a configuration has the batch size of its sparsifying."""
SPARSIFIER = "method.sparsify.regularizer"
"""Where a configuration names its sparsifying regulariser; null or absent where it has none."""
MASKED = "no speed-up without sparse kernels"
"""The caveat that accompanies networks with single weights zeroed, wherever they appear."""


class Sparsifying(Params):
    """The epochs of a trial that sparsifies the dense network before it prunes it."""

    epochs: int
    """Epochs at dense MACs, before pruning."""
    then: int
    """Epochs after pruning."""


class Reach(Params):
    """Whether a method can meet a budget, as far as that is known before anything is scored."""

    scope: str = ""
    """The scope of the ranking, or the method's name if it has no scopes. The plan fills it in."""
    smallest_macs: int
    """The fewest MACs that the method can reach at all."""
    nearest_macs: int
    """The MACs of a network within tolerance of the budget, else the nearest that were found."""
    within: bool
    """Whether the method can meet the budget within tolerance."""
    reason: str = ""
    """Why it cannot; empty if it can."""


class Study(Params):
    """An arm at a budget under a matching (and replicate): one Optuna study, one frontier point."""

    id: str
    """`arm@budget[ matching][ r2]`, unique within the sweep."""
    arm: str
    method: str
    budget: RecordedBudget
    matching: str | None
    replicate: int = 0
    target_macs: int
    epochs: int
    """Epochs of a trial that does not sparsify; where all trials sparsify, the epochs after it."""
    sparsifying: Sparsifying | None = None
    """Epochs of a trial that sparsifies; None where no configuration of the study does."""
    trials: int
    """Trials of its search; 0 where the space has one configuration, which is not searched for."""
    space: Space
    first: tuple[Config, ...] = ()
    inherits: bool
    """Whether trials start from the weights of the dense network."""
    masked: bool = False
    """Whether its networks keep the dense shape, with some weights zero. Such networks train at the
    dense MACs, and are no faster without sparse kernels."""
    source: str | None = None
    """The id of the study whose winning architecture this study trains from scratch."""
    recipe_source: str | None = None
    """The id of the study whose winning recipe this study trains by, without a search."""
    infeasible: str | None = None
    """Why no configuration of this arm reaches the budget, with the nearest reachable MACs."""
    reach: tuple[Reach, ...] = ()

    def sparsifies(self, config: Config) -> bool:
        """Whether a trial of this configuration sparsifies the dense network first."""
        return self.sparsifying is not None and config.get(SPARSIFIER) is not None

    def epochs_of(self, config: Config) -> int:
        """Epochs of a trial of this configuration, without those of sparsifying."""
        if self.sparsifying is not None and self.sparsifies(config):
            return self.sparsifying.then
        return self.epochs

    def sparsify_epochs_of(self, config: Config) -> int:
        """Epochs at dense MACs for which a trial of this configuration sparsifies."""
        return self.sparsifying.epochs if self.sparsifying and self.sparsifies(config) else 0
