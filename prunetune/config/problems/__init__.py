"""Mistakes in a sweep file, in the words of the file."""
