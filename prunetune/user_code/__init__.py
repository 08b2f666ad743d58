"""Classes that a sweep file names by their import paths, and the digests of their code."""
