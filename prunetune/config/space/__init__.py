"""The space that a study searches, from the ranges that a file writes."""
