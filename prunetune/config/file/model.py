"""The models of the sweep file: its fields, their defaults and the values that they take.

Recipes and the parameters of methods stay raw trees here, with their ranges. `check.py` checks how
they are written; `expand.py` turns them into dimensions once their parts are known.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, model_validator

from prunetune.config.budget import BUDGET_FORMS
from prunetune.config.file.dense import DenseSpec, DenseTrainSpec
from prunetune.config.file.fields import (
    ArmName,
    Matchings,
    ModuleName,
    OptunaUri,
    RecipeTree,
    SweepName,
    TrackingUri,
    WrittenBudget,
)
from prunetune.config.matching import Matching
from prunetune.config.parts import Kind, Named, Params
from prunetune.config.problems.errors import YamlPath
from prunetune.config.search import Asha, Confirm


class WorkloadSpec(Params):
    """The data set, and the dense network that learns it."""

    model: Annotated[Named, Kind("models"), Field(examples=["resnet20"])]
    dataset: Annotated[Named, Kind("datasets"), Field(examples=["digits"])]
    dense: DenseSpec = DenseSpec(train=DenseTrainSpec())


class ArmSpec(Params):
    """One family under comparison."""

    method: Annotated[Named, Kind("methods")]
    first: tuple[dict[str, Any], ...] = Field(
        default=(), description="configurations to try before the sampler's own, with dotted names"
    )
    match: Matchings | None = Field(
        default=None, description="those of training.match that this arm takes part in; null: all"
    )
    recipe: RecipeTree = Field(
        default_factory=dict,
        description="fields that replace the shared ones entirely; or from: ARM, to train by that "
        "arm's winning recipe at each budget and search nothing",
    )

    @property
    def recipe_from(self) -> str | None:
        """The arm whose winning recipe this arm trains by; None if it has a recipe of its own."""
        return str(self.recipe["from"]) if "from" in self.recipe else None

    @property
    def recipe_match(self) -> Any | None:
        """The matching under which the lent recipe won; None: the one that the study is under."""
        return self.recipe.get("match") if "from" in self.recipe else None


class TrainingSpec(Params):
    """How many epochs networks train for; see `matching.py`."""

    finetune_epochs: int = Field(default=20, ge=0)
    sparsify_epochs: int = Field(
        default=0, ge=0, description="epochs of sparse training before pruning"
    )
    match: Matchings = Field(
        default=("scratch_b",),
        description="how long networks train from scratch; epochs=60 is a length of its own",
    )


class EarlyStoppingSpec(Params):
    """The rule that stops trials early."""

    asha: Asha

    @model_validator(mode="before")
    @classmethod
    def _name_alone(cls, value: Any) -> Any:
        return {"asha": {}} if value in ("asha", {"asha": None}) else value


MOST_BUDGETS = MOST_ARMS = 50
"""Far more than a question needs; without a limit, a slip could keep `plan` busy for hours."""
MOST_TRIALS = 900
"""The most trials of one search. Trial i has seed i; seeds from 900 on belong to later phases."""


class SearchSpec(Params):
    """The effort that each study gets."""

    trials: int = Field(
        default=16,
        ge=0,
        le=MOST_TRIALS,
        description="trials per study, however they end; 0: no arm has a range to search",
    )
    sampler: Named = Field(default=Named(name="tpe"), description="tpe, random, gp, qmc or grid")
    early_stopping: EarlyStoppingSpec | None = Field(
        default=EarlyStoppingSpec(asha=Asha()), description="null: every trial runs to its end"
    )
    replicates: int = Field(default=1, ge=1, le=1000, description="independent searches per study")


class ResourcesSpec(Params):
    """The resources of one trial, and how many trials run at once."""

    cpus: int = Field(default=1, ge=1)
    gpus: Literal["auto"] | Annotated[float, Field(ge=0)] = Field(
        default="auto", description="auto: a share of a GPU where there is one, else none"
    )
    max_concurrent: Literal["auto"] | Annotated[int, Field(ge=1)] = "auto"
    deterministic: bool = Field(
        default=False, description="repeats bit by bit on one GPU, but slower"
    )


class LimitsSpec(Params):
    """When the sweep ends although it is not done."""

    hours: float | None = Field(default=None, gt=0)


class TrackingSpec(Params):
    """Where MLflow writes, and where else Optuna's studies are kept."""

    uri: TrackingUri | None = Field(
        default=None, description="null: a local store beside the results; none: no MLflow"
    )
    experiment: str | None = Field(default=None, description="null: the sweep's name")
    register_models: bool = Field(
        default=False,
        description="one registered model for each budget, with each arm's winner as a version",
    )
    optuna: OptunaUri | None = Field(
        default=None,
        description="a database that takes each study, for optuna-dashboard: sqlite:////studies.db",
    )


class SweepSpec(Params):
    """A sweep as its file states it; fields and their defaults are those of `prunetune schema`.

    Example:
        >>> arms = {"thin": {"method": "width_scaling"}, "pruned": {"method": "channel_pruning"}}
        >>> workload = {"model": "resnet14", "dataset": "digits"}
        >>> spec = SweepSpec(name="mine", workload=workload, budgets=[0.5, 0.25], arms=arms)
        >>> spec.search.trials
        16
    """

    model_config = ConfigDict(json_schema_extra={"description": "A sweep as its file states it."})

    name: SweepName = Field(examples=["my-sweep"], description="the folder of its results")
    question: str = ""
    workload: WorkloadSpec
    budgets: tuple[WrittenBudget, ...] = Field(
        min_length=1,
        max_length=MOST_BUDGETS,
        examples=[[0.5, 0.25]],
        description=BUDGET_FORMS,
    )
    tolerance: float = Field(
        default=0.005, gt=0, lt=1, description="achieved MACs lie within this share below a budget"
    )
    arms: dict[ArmName, ArmSpec] = Field(
        min_length=1,
        max_length=MOST_ARMS,
        examples=[{"thin": {"method": "width_scaling"}, "pruned": {"method": "channel_pruning"}}],
    )
    recipe: RecipeTree = Field(
        default_factory=dict, description="shared by all arms; any value may be a range"
    )
    training: TrainingSpec = TrainingSpec()
    search: SearchSpec = SearchSpec()
    confirm: Confirm = Confirm()
    resources: ResourcesSpec = ResourcesSpec()
    limits: LimitsSpec = LimitsSpec()
    tracking: TrackingSpec = TrackingSpec()
    plugins: tuple[ModuleName, ...] = Field(
        default=(), description="modules that register parts of your own"
    )
    seed: int = Field(default=0, ge=0)

    def matchings(self, arm: str) -> tuple[Matching, ...]:
        """The matchings that an arm takes part in, in the order of `training.match`."""
        own = self.arms[arm].match
        return tuple(m for m in self.training.match if own is None or m in own)

    def arm_recipe(self, arm: str) -> tuple[dict[str, Any], dict[str, YamlPath]]:
        """The recipe tree of an arm, in which its own fields replace the shared ones.

        The second value holds the places in the file of the arm's own fields, for `expand`. An arm
        that takes another arm's recipe has the tree of that arm.
        """
        if (lender := self.arms[arm].recipe_from) is not None:
            if lender not in self.arms or self.arms[lender].recipe_from is not None:
                return dict(self.recipe), {}  # binding notes that no such arm lends its recipe
            arm = lender
        own = self.arms[arm].recipe
        places: dict[str, YamlPath] = {name: ("arms", arm, "recipe", name) for name in own}
        return {**self.recipe, **own}, places
