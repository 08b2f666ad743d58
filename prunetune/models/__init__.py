"""Networks by name: CIFAR and ImageNet ResNets by explicit widths, others from torchvision."""

from prunetune.models import cifar_resnet, imagenet_resnet, torchvision

__all__ = ["cifar_resnet", "imagenet_resnet", "torchvision"]
