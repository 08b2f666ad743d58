"""A network as data: its name, its parameters and the width of every layer."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Architecture(BaseModel):
    """What `rebuild` needs to make the network again as a plain module, without pickle.

    `layers` maps each convolution to (in, out, groups) channels, each linear layer to (in, out)
    features and each normalisation to its channels, all under their names in the module tree. A
    skeleton of `model` with its own widths is built and every layer is given the width stated here.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    params: dict[str, Any] = Field(default_factory=dict)
    classes: int
    input_shape: tuple[int, int, int]
    """(channels, height, width)"""
    layers: dict[str, tuple[int, ...]] = Field(default_factory=dict)

    def channels(self) -> dict[str, int]:
        """Output channels (or features) of every convolution and linear layer, in order."""
        return {name: widths[1] for name, widths in self.layers.items() if len(widths) > 1}
