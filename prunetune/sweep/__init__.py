"""Plans, runs and publishes a whole sweep; Ray, MLflow and the analysis meet here."""

from prunetune.sweep.orchestrate import (
    SweepOutcome,
    load_records,
    plan_sweep,
    run_sweep,
)
from prunetune.sweep.plan_file import load_plan
from prunetune.sweep.tracked import tracked

__all__ = [
    "SweepOutcome",
    "load_plan",
    "load_records",
    "plan_sweep",
    "run_sweep",
    "tracked",
]
