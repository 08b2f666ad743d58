"""Networks by name: of explicit widths where they can be scaled, and torchvision's others."""

from prunetune.models import (
    cifar_resnet,
    densenet,
    imagenet_resnet,
    mobilenet_v1,
    mobilenet_v2,
    torchvision,
    vgg,
    vit,
    wide_resnet,
)

__all__ = [
    "cifar_resnet",
    "densenet",
    "imagenet_resnet",
    "mobilenet_v1",
    "mobilenet_v2",
    "torchvision",
    "vgg",
    "vit",
    "wide_resnet",
]
