"""A whole sweep: planned, forecast, run, looked at. Where plan, Ray, MLflow and analysis meet."""

from prunetune.sweep.orchestrate import (
    SweepOutcome,
    load_plan,
    load_records,
    open_tracking,
    plan_sweep,
    run_sweep,
)

__all__ = [
    "SweepOutcome",
    "load_plan",
    "load_records",
    "open_tracking",
    "plan_sweep",
    "run_sweep",
]
