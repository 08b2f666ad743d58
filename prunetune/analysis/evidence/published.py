"""Accuracies that others published for dense networks, to see whether ours is trained as well.

They are single numbers from other recipes and code, so they only show a dense network that is far
too weak. They never enter a comparison of arms.
"""

from __future__ import annotations

from prunetune.analysis.evidence.other_sweeps import dataset_of
from prunetune.plan import Plan
from prunetune.records.record import Frozen

_RESNET = "He et al., 2016, 1512.03385, table 6"
_WIDE = "Zagoruyko and Komodakis, 2016, 1605.07146, table 4"
_TORCHVISION = "torchvision's documentation, IMAGENET1K_V1"
_CIFAR10 = {
    "resnet20": (0.9125, _RESNET),
    "resnet32": (0.9249, _RESNET),
    "resnet44": (0.9283, _RESNET),
    "resnet56": (0.9303, _RESNET),
    "resnet110": (0.9339, _RESNET),
    "wrn_16_8": (0.9573, _WIDE),
    "wrn_28_10": (0.9600, _WIDE),
}
_CIFAR100 = {"wrn_16_8": (0.7957, _WIDE), "wrn_28_10": (0.8075, _WIDE)}
_IMAGENET = {
    "resnet18": (0.69758, _TORCHVISION),
    "resnet34": (0.73314, _TORCHVISION),
    "resnet50": (0.76130, _TORCHVISION),
    "resnet101": (0.77374, _TORCHVISION),
    "resnet152": (0.78312, _TORCHVISION),
    "mobilenet_v2": (0.71878, _TORCHVISION),
    "densenet121": (0.74434, _TORCHVISION),
    "vgg16_bn": (0.73360, _TORCHVISION),
}
_TABLES = {"cifar10": _CIFAR10, "cifar100": _CIFAR100}
_SAME_SIZE = ("shortcut",)
"""Parameters of a model that leave its published accuracy comparable."""
IMAGENET_CLASSES, IMAGENET_TEST_IMAGES = 1000, 50_000


class PublishedAccuracy(Frozen):
    """The accuracy that a source states for a dense network on a data set."""

    accuracy: float
    source: str


def published_accuracy(plan: Plan) -> PublishedAccuracy | None:
    """What is published for the dense network of this sweep on its data set; None if unknown."""
    architecture = plan.dense.architecture
    if set(architecture.get("params", {})) - set(_SAME_SIZE):
        return None  # other widths, or another stem
    entry = _table(plan).get(str(architecture.get("model")))
    return PublishedAccuracy(accuracy=entry[0], source=entry[1]) if entry else None


def _table(plan: Plan) -> dict[str, tuple[float, str]]:
    dataset = dataset_of(plan.workload)
    name = dataset.name if dataset else ""
    if name == "image_folder":
        classes = plan.dense.architecture.get("classes")
        whole = (classes, plan.test_size) == (IMAGENET_CLASSES, IMAGENET_TEST_IMAGES)
        return _IMAGENET if whole else {}
    return _TABLES.get(name, {})
