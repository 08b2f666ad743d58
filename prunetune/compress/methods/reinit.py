"""Reinit: another arm's architecture, trained from scratch (Liu et al., ICLR 2019, 1810.05270)."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import ConfigDict, Field

from prunetune.compress.budget.costs import count_macs
from prunetune.compress.method import CompactModel, Context
from prunetune.config.parts import Params
from prunetune.registry import methods


class ReinitParams(Params):
    """Parameters of `reinit`."""

    model_config = ConfigDict(populate_by_name=True)

    arm: Annotated[str, Field(alias="from", description="the arm whose architectures are trained")]


@methods.register("reinit", params=ReinitParams)
class Reinit:
    """The source arm's winning architecture with its family's initial weights."""

    inherits: ClassVar[bool] = False
    takes_architecture: ClassVar[bool] = True

    def __init__(self, params: ReinitParams) -> None:
        self.params = params

    def run(self, context: Context) -> CompactModel:
        """The source's architecture, which met the target when it was found."""
        assert context.source is not None, "reinit needs its source's architecture"
        model = context.build(context.source)
        macs = count_macs(model, context.source.input_shape)
        return CompactModel(model, context.source, macs)
