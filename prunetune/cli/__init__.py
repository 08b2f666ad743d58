"""The command line: a few lines a verb; the work is done below."""
