"""The recipe: all settings that decide how a network is trained, as concrete values."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from prunetune.config.parts import Kind, Named, Params


class Augment(Params):
    """Per-sample augmentation of training images; null means the data set's own."""

    crop: Annotated[int | None, Field(ge=0, description="pixels of padding before a crop")] = None
    padding: Literal["zero", "reflect"] = "zero"
    flip: bool | None = None
    cutout: Annotated[int, Field(ge=0, description="side of the square set to the mean")] = 0


class Recipe(Params):
    """How a network is trained. In a sweep file any field may be a range instead."""

    optimizer: Annotated[Named, Kind("optimizers")] = Named(name="sgd")
    schedule: Annotated[Named, Kind("schedules")] = Named(name="cosine")
    batch_size: Annotated[int, Field(ge=1)] = 128
    weight_decay: Annotated[float, Field(ge=0)] = 5e-4
    norm_weight_decay: Annotated[bool, Field(description="decay norms and biases as well")] = False
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    mixup: Annotated[float, Field(ge=0, description="alpha of Beta(alpha, alpha); 0 is off")] = 0.0
    cutmix: Annotated[float, Field(ge=0, description="alpha of Beta(alpha, alpha); 0 is off")] = 0.0
    grad_clip: Annotated[float, Field(ge=0, description="largest gradient norm; 0 is off")] = 0.0
    ema: Annotated[float, Field(ge=0, lt=1, description="decay per step; 0 is off")] = 0.0
    augment: Augment = Augment()


def steps_per_epoch(n_images: int, batch_size: int) -> int:
    """Optimizer steps in an epoch: whole batches only, and one where there are fewer images."""
    return max(1, n_images // batch_size)


def images_per_epoch(n_images: int, batch_size: int) -> int:
    """The images that an epoch computes: those of whole batches, or all if they fill none."""
    return min(n_images, steps_per_epoch(n_images, batch_size) * batch_size)
