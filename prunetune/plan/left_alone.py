"""Channels that no method prunes."""

from __future__ import annotations

from prunetune.config.parts import Params


class LeftAlone(Params):
    """Coupled channels that no method prunes, because no cut of them is known to be right."""

    layer: str
    """The first layer that writes the channels."""
    reason: str
    """Why they are left alone."""
    share: float
    """The share of the dense MACs that cannot be pruned for it: what the layers with these channels
    take because of them when all other channels are pruned as far as can be."""
