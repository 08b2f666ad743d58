"""Trials as they are dealt, records of how they ended, and the storage that keeps both."""
