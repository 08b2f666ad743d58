"""A network as data: its name, its parameters and the width of every layer."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Architecture(BaseModel):
    """A network's shape; `rebuild` makes the network from it as a plain module, without pickle.

    `layers` has an entry for each layer under its name in the module tree: (in, out, groups)
    channels of a convolution, (in, out) features of a linear layer, the channels of a
    normalisation. `rebuild` makes a skeleton of `model` with its standard widths and gives every
    layer the width stated here.
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
