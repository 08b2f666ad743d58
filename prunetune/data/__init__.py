"""Data sets by name, their splits, and per-sample augmentation on the training device."""

from prunetune.data import cifar, digits, fashion_mnist, image_folder

__all__ = ["cifar", "digits", "fashion_mnist", "image_folder"]
