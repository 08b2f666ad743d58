"""The contract of a model: a family is one named network, which can be built at any widths."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Protocol

from torch import Tensor, nn

from prunetune.models.pretrained import WeightsFileError
from prunetune.models.published import torchvision_classes, torchvision_weights
from prunetune.protocols import Shape


class Family(Protocol):
    """One named network at any widths. `params` is an object of the registered parameter model.

    The channels that can be removed are found by tracing the network. A module that cannot be
    traced declares its units with the methods of `prunetune.compress.graph.groups.DeclaresUnits`.
    """

    scales_groups: ClassVar[bool] = False
    """Whether a thin network is the dense one with all its coupled channels scaled by one factor;
    for families without stage widths."""
    draws_in_constructor: ClassVar[bool] = False
    """Whether `build` draws the initial weights, by a rule that only the network's own code knows;
    `initialise` is then not called for a network that is trained."""

    def build(self, params: Any, classes: int, input_shape: Shape) -> nn.Module:
        """A fresh network with PyTorch's default weights; works under `torch.device("meta")` too.

        Raises:
            ValueError: the widths, the classes or the input shape do not fit this network.
        """

    def initialise(self, model: nn.Module) -> None:
        """Draw the published initial weights, in place, from the global random generator.

        The rule reads each layer's own shape, so the same method serves thin, cut and rebuilt
        networks.
        """

    def stage_widths(self, params: Any) -> tuple[int, ...] | None:
        """The base width of each stage; None if the network cannot be scaled by width."""

    def inner_widths(self, params: Any) -> tuple[int, ...]:
        """The channels inside each block, in order; empty if blocks have no width of their own."""

    def with_widths(
        self, params: Any, widths: tuple[int, ...], inner: tuple[int, ...] | None = None
    ) -> Any:
        """`params` with other stage widths; if `inner` is None, blocks take their stage's width."""

    def ignored_layers(self, model: nn.Module) -> list[nn.Module]:
        """Layers that keep all output channels: the classifier, and a fixed residual stream.

        Of a family without this method, the layers are kept that compute the logits.
        """

    def published(self, weights: str, *, download: bool = True) -> dict[str, Tensor]:
        """The state dict of published weights.

        Raises:
            WeightsFileError: no weights have this name, or their file cannot be had.
        """

    def published_classes(self, weights: str) -> int:
        """The number of classes that these weights were trained for; downloads nothing."""


class WithoutPublishedWeights:
    """For a family whose weights have no names."""

    name: str

    def published(self, weights: str, *, download: bool = True) -> dict[str, Tensor]:
        """Always WeightsFileError: weights are loaded from a file, by its path."""
        raise self._no_weights(weights)

    def published_classes(self, weights: str) -> int:
        """Always WeightsFileError, for the same reason."""
        raise self._no_weights(weights)

    def _no_weights(self, weights: str) -> WeightsFileError:
        return WeightsFileError(
            f"{weights}: no weights of {self.name} go by a name; "
            "give a file: {checkpoint: {path: …}}"
        )


class BaseFamily(WithoutPublishedWeights):
    """Defaults for most families: only the classifier is kept whole; weights have no names."""

    def ignored_layers(self, model: nn.Module) -> list[nn.Module]:
        """The classifier."""
        return [classifier(model)]


class TorchvisionWeights:
    """For a family whose network has torchvision's name: torchvision's weights fit it."""

    name: str

    def published(self, weights: str, *, download: bool = True) -> dict[str, Tensor]:
        """torchvision's weights of that name."""
        return torchvision_weights(self.name, weights, download=download)

    def published_classes(self, weights: str) -> int:
        """The number that torchvision states for these weights."""
        return torchvision_classes(self.name, weights)


class ScalableFamily(BaseFamily):
    """A family whose parameters are called `widths` and `inner`."""

    def with_widths(
        self, params: Any, widths: tuple[int, ...], inner: tuple[int, ...] | None = None
    ) -> Any:
        """The same network at other widths."""
        return params.model_copy(update={"widths": widths, "inner": inner})


class WithoutStages:
    """For a family whose networks have no stages that could be scaled by width."""

    name: str

    def stage_widths(self, params: Any) -> None:
        """None: the widths cannot be chosen."""

    def inner_widths(self, params: Any) -> tuple[int, ...]:
        """Empty: the widths cannot be chosen."""
        return ()

    def with_widths(
        self, params: Any, widths: tuple[int, ...], inner: tuple[int, ...] | None = None
    ) -> Any:
        """Always ValueError: the network has no stage widths."""
        raise ValueError(f"{self.name} cannot be scaled by width")


class FixedFamily(WithoutStages, BaseFamily):
    """A family whose networks cannot be scaled by width."""


def classifier(model: nn.Module) -> nn.Linear:
    """The layer that computes the logits: the last linear layer."""
    return [module for module in model.modules() if isinstance(module, nn.Linear)][-1]


def per_block(widths: Sequence[int], blocks: Sequence[int]) -> tuple[int, ...]:
    """The stage width of every block, in order; `blocks` is the number of blocks per stage."""
    return tuple(width for width, n in zip(widths, blocks, strict=True) for _ in range(n))


def check_widths(
    widths: Sequence[int],
    stages: int,
    inner: Sequence[int] | None,
    n_inner: int,
    smallest_inner: int = 1,
) -> None:
    """Check widths that a user has written.

    Args:
        widths: One width per stage, each at least 1.
        stages: How many stages the network has.
        inner: One width per block, or None for the stages' widths.
        n_inner: How many blocks have a width of their own.
        smallest_inner: 0 if a block without inner channels is possible: only its shortcut is left.

    Raises:
        ValueError: the number of widths is wrong, or a width is too small.
    """
    if len(widths) != stages or min(widths) < 1:
        raise ValueError(f"widths: got {tuple(widths)}; allowed: {stages} integers from 1 up")
    if inner is not None and (len(inner) != n_inner or min(inner, default=1) < smallest_inner):
        raise ValueError(
            f"inner: got {tuple(inner)}; allowed: {n_inner} integers from {smallest_inner} up, "
            "or null"
        )
