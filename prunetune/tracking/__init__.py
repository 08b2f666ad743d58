"""Shows a sweep in MLflow: every trial as a run, the answer as the first view."""
