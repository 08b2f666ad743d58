"""The kinds of files that a network is exported to, one module each."""
