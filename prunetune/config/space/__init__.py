"""The space that a study searches, made from the ranges in the file."""
