"""One trial, in plain Python: a generator of reports."""

from prunetune.trial.run import run_trial

__all__ = ["run_trial"]
