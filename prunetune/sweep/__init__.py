"""Plans, runs and publishes a whole sweep; Ray, MLflow and the analysis meet here."""

from prunetune.sweep.orchestrate import (
    SweepOutcome,
    plan_sweep,
    run_sweep,
)
from prunetune.sweep.plan_file import load_plan
from prunetune.sweep.results import (
    audit,
    frontier,
    load_curves,
    load_records,
    load_winner,
)
from prunetune.sweep.tracked import tracked

__all__ = [
    "SweepOutcome",
    "audit",
    "frontier",
    "load_curves",
    "load_plan",
    "load_records",
    "load_winner",
    "plan_sweep",
    "run_sweep",
    "tracked",
]
