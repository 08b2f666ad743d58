"""Runs one trial: `run_trial` is a generator of its reports, in plain Python."""

from prunetune.trial.run import run_trial

__all__ = ["run_trial"]
