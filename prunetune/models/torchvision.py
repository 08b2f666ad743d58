"""torchvision's other convolutional classifiers: they can be pruned, but not scaled by width.

Not here: networks that we build ourselves (ResNet, MobileNetV2, vision transformers), RegNet, whose
channels cannot be traced, GoogLeNet and Inception, which return more than logits, and SqueezeNet,
which has no linear classifier.
"""

from __future__ import annotations

from torch import nn

from prunetune.config.parts import Params
from prunetune.models.family import FixedFamily, TorchvisionWeights
from prunetune.models.init import (
    InitRule,
    as_torch,
    efficientnet,
    kaiming_fan_in,
    kaiming_fan_out,
    kaiming_small_linear,
    mnasnet,
    redraw,
    truncated_normal,
)
from prunetune.protocols import Shape
from prunetune.registry import models


class TorchvisionParams(Params):
    """None: each of these networks has one form."""


class TorchvisionFamily(TorchvisionWeights, FixedFamily):
    """One of torchvision's networks, unchanged."""

    def __init__(self, name: str, rule: InitRule) -> None:
        self.name, self.rule = name, rule

    def build(self, params: TorchvisionParams, classes: int, input_shape: Shape) -> nn.Module:
        """A fresh network; see `Family`."""
        from torchvision.models import get_model  # takes 4 s, so only where it is needed

        if input_shape[0] != 3:
            raise ValueError(f"{self.name} takes images of 3 channels, not {input_shape[0]}")
        model: nn.Module = get_model(self.name, num_classes=classes)
        return model

    def initialise(self, model: nn.Module) -> None:
        """The weights that torchvision's constructor draws, layer by layer."""
        redraw(model, self.rule)


INIT_RULES: dict[InitRule, str] = {
    kaiming_fan_out: "resnext50_32x4d resnext101_32x8d resnext101_64x4d",
    kaiming_small_linear: "vgg11 vgg11_bn vgg13 vgg13_bn vgg16 vgg16_bn vgg19 vgg19_bn "
    "mobilenet_v3_small mobilenet_v3_large",
    kaiming_fan_in: "densenet121 densenet161 densenet169 densenet201",
    efficientnet: "efficientnet_b0 efficientnet_b1 efficientnet_b2 efficientnet_b3 "
    "efficientnet_b4 efficientnet_v2_s efficientnet_v2_m",
    mnasnet: "mnasnet0_5 mnasnet0_75 mnasnet1_0 mnasnet1_3",
    truncated_normal: "convnext_tiny convnext_small convnext_base convnext_large",
    as_torch: "alexnet shufflenet_v2_x0_5 shufflenet_v2_x1_0 shufflenet_v2_x1_5 shufflenet_v2_x2_0",
}
"""The networks of each rule. The names are written out because asking torchvision takes 4 s."""

for _rule, _names in INIT_RULES.items():
    for _name in _names.split():
        models.register(_name, params=TorchvisionParams)(TorchvisionFamily(_name, _rule))
