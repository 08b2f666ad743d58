"""Which channels must be removed together. Only this room imports torch-pruning."""

from __future__ import annotations

import sys

if "timm" not in sys.modules:
    # Where timm is installed, torch-pruning imports it, for a counter that nothing here uses: two
    # seconds of every start, and triton, which complains at exit.
    sys.modules["timm"] = None  # type: ignore[assignment]
    try:
        import torch_pruning  # noqa: F401
    finally:
        del sys.modules["timm"]
