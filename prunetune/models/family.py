"""The contract of a model part: a family of networks that differ in their widths alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from torch import Tensor, nn

from prunetune.models.pretrained import WeightsFileError
from prunetune.models.published import torchvision_classes, torchvision_weights
from prunetune.protocols import Shape


class Family(Protocol):
    """One named network at any widths. `params` is the model that it was registered with.

    What may be cut is traced through the network; a module whose channels cannot be traced declares
    its units by the methods of `prunetune.compress.graph.groups.DeclaresUnits`.
    """

    def build(self, params: Any, classes: int, input_shape: Shape) -> nn.Module:
        """A fresh network with torch's own init; works under `torch.device("meta")` too.

        Raises ValueError where widths, classes or input shape do not fit this network.
        """

    def initialise(self, model: nn.Module) -> None:
        """Apply the published init in place, from the global random state.

        It depends on the shapes it finds, so that it serves thin, cut and rebuilt networks alike.
        """

    def stage_widths(self, params: Any) -> tuple[int, ...] | None:
        """The base width of each stage; None where the network cannot be scaled by width."""

    def inner_widths(self, params: Any) -> tuple[int, ...]:
        """Channels inside each block, in order; empty where there is no such choice."""

    def with_widths(
        self, params: Any, widths: tuple[int, ...], inner: tuple[int, ...] | None = None
    ) -> Any:
        """`params` with other stage widths; `inner` None derives the blocks' from them."""

    def ignored_layers(self, model: nn.Module) -> list[nn.Module]:
        """Layers whose output channels must stay: the classifier, and a fixed residual stream."""

    def published(self, weights: str, *, download: bool = True) -> dict[str, Tensor]:
        """Published weights by name; CheckpointError where there are none of that name."""

    def published_classes(self, weights: str) -> int:
        """How many classes weights of that name tell apart, without downloading them."""


class Plain:
    """What most families share: only the classifier stays whole, and no weights go by a name."""

    name: str

    def ignored_layers(self, model: nn.Module) -> list[nn.Module]:
        """The classifier."""
        return [classifier(model)]

    def published(self, weights: str, *, download: bool = True) -> dict[str, Tensor]:
        """None by name: a file of weights is loaded by its path."""
        raise self._no_weights(weights)

    def published_classes(self, weights: str) -> int:
        """None, likewise."""
        raise self._no_weights(weights)

    def _no_weights(self, weights: str) -> WeightsFileError:
        return WeightsFileError(
            f"{weights}: no weights of {self.name} go by a name; "
            "give a file: {checkpoint: {path: …}}"
        )


class OfTorchvision:
    """A family whose name is one of torchvision's, and so are its published weights."""

    name: str

    def published(self, weights: str, *, download: bool = True) -> dict[str, Tensor]:
        """torchvision's weights of that name."""
        return torchvision_weights(self.name, weights, download=download)

    def published_classes(self, weights: str) -> int:
        """As torchvision states it."""
        return torchvision_classes(self.name, weights)


class OfWidths(Plain):
    """A family whose `params` have `widths` and `inner`."""

    def with_widths(
        self, params: Any, widths: tuple[int, ...], inner: tuple[int, ...] | None = None
    ) -> Any:
        """The same network at other widths."""
        return params.model_copy(update={"widths": widths, "inner": inner})


class OneWidth(Plain):
    """A family whose networks cannot be scaled by width."""

    def stage_widths(self, params: Any) -> None:
        """None: there is no choice."""

    def inner_widths(self, params: Any) -> tuple[int, ...]:
        """None to choose."""
        return ()

    def with_widths(
        self, params: Any, widths: tuple[int, ...], inner: tuple[int, ...] | None = None
    ) -> Any:
        """ValueError: there are no stage widths to set."""
        raise ValueError(f"{self.name} cannot be scaled by width")


def classifier(model: nn.Module) -> nn.Linear:
    """The layer that gives the logits: the last linear one."""
    return [module for module in model.modules() if isinstance(module, nn.Linear)][-1]


def per_block(widths: Sequence[int], blocks: Sequence[int]) -> tuple[int, ...]:
    """The width of its stage for each block, in order."""
    return tuple(w for w, n in zip(widths, blocks, strict=True) for _ in range(n))


def check_widths(
    widths: Sequence[int], stages: int, inner: Sequence[int] | None, n: int, fewest: int = 1
) -> None:
    """ValueError unless there are `stages` widths from 1 up and, if any, `n` inner ones in range.

    `fewest` is 0 where a block without inner channels is only its shortcut.
    """
    if len(widths) != stages or min(widths) < 1:
        raise ValueError(f"widths: got {tuple(widths)}; allowed: {stages} integers from 1 up")
    if inner is not None and (len(inner) != n or min(inner, default=1) < fewest):
        raise ValueError(
            f"inner: got {tuple(inner)}; allowed: {n} integers from {fewest} up, or null"
        )
