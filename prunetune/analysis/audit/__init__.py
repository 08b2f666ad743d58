"""The audit: rules that say what is unfair, missing or doubtful in a sweep."""
