"""python -m tests.compress.random_networks FIRST END [PROCESSES]     tries seeds FIRST to END - 1

Prints what became of the networks, and the recipe of every one that was cut wrong.
"""

from __future__ import annotations

import sys

from tests.compress.random_networks.trying import main

if __name__ == "__main__":
    raise SystemExit(main(*map(int, sys.argv[1:])))
