"""MLflow: every trial as a run, the answer as the first view. The only door to mlflow."""
