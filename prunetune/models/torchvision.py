"""torchvision's other convolutional classifiers by name: prunable, but not scaled by width.

Left out are those whose channels cannot be cut by tracing (vision transformers, RegNet), those
that give more than logits (GoogLeNet, Inception) and SqueezeNet, which has no linear classifier.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from torch import Tensor, nn

from prunetune.models.family import Shape, classifier
from prunetune.models.published import torchvision_weights
from prunetune.registry import models
from prunetune.spec.parts import Params

Rule = Callable[[nn.Module], None]
"""Applied to every convolution and linear layer."""


class TorchvisionParams(Params):
    """These networks have one form."""


def kaiming_fan_out(module: nn.Module) -> None:
    """Of ResNeXt: convolutions by fan-out, linear layers as torch does."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")


def kaiming_small_linear(module: nn.Module) -> None:
    """Of VGG and MobileNet: convolutions by fan-out, linear layers with deviation 0.01."""
    kaiming_fan_out(module)
    if isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, 0, 0.01)
    zero_bias(module)


def kaiming_fan_in(module: nn.Module) -> None:
    """Of DenseNet: convolutions by fan-in, linear layers as torch does but for their bias."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight)
    zero_bias(module)


def efficientnet(module: nn.Module) -> None:
    """Convolutions by fan-out, linear layers uniform over the number of their outputs."""
    kaiming_fan_out(module)
    if isinstance(module, nn.Linear):
        bound = 1 / math.sqrt(module.out_features)
        nn.init.uniform_(module.weight, -bound, bound)
    zero_bias(module)


def mnasnet(module: nn.Module) -> None:
    """Convolutions by fan-out, linear layers uniform by fan-out for a sigmoid."""
    kaiming_fan_out(module)
    if isinstance(module, nn.Linear):
        nn.init.kaiming_uniform_(module.weight, mode="fan_out", nonlinearity="sigmoid")
    zero_bias(module)


def truncated_normal(module: nn.Module) -> None:
    """Of ConvNeXt: truncated normal of deviation 0.02."""
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
    zero_bias(module)


def zero_bias(module: nn.Module) -> None:
    """Bias 0 for convolutions and linear layers that have one."""
    if isinstance(module, nn.Conv2d | nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)


def as_torch(module: nn.Module) -> None:
    """Of AlexNet and ShuffleNet: torch's own init is the published one."""


class TorchvisionFamily:
    """A network of torchvision's, as it is."""

    def __init__(self, name: str, rule: Rule) -> None:
        self.name, self.rule = name, rule

    def build(self, params: TorchvisionParams, classes: int, input_shape: Shape) -> nn.Module:
        """A fresh network; see `Family`."""
        from torchvision.models import get_model  # 4 s: not at the module's import

        if input_shape[0] != 3:
            raise ValueError(f"{self.name} takes images of 3 channels, not {input_shape[0]}")
        model: nn.Module = get_model(self.name, num_classes=classes)
        return model

    def initialise(self, model: nn.Module) -> None:
        """The init of torchvision's constructor, layer by layer."""
        for module in model.modules():
            if isinstance(module, nn.Conv2d | nn.Linear | nn.BatchNorm2d | nn.LayerNorm):
                module.reset_parameters()
            self.rule(module)

    def stage_widths(self, params: TorchvisionParams) -> None:
        """None: its widths are torchvision's."""

    def inner_widths(self, params: TorchvisionParams) -> tuple[int, ...]:
        """None to choose."""
        return ()

    def with_widths(
        self,
        params: TorchvisionParams,
        widths: tuple[int, ...],
        inner: tuple[int, ...] | None = None,
    ) -> TorchvisionParams:
        """ValueError: there are no stage widths to set."""
        raise ValueError(f"{self.name} cannot be scaled by width")

    def prunable_residual(self, params: TorchvisionParams) -> bool:
        """Always: these networks project where shapes change."""
        return True

    def ignored_layers(self, model: nn.Module) -> list[nn.Module]:
        """The classifier."""
        return [classifier(model)]

    def published(self, weights: str, *, download: bool = True) -> dict[str, Tensor]:
        """torchvision's weights of that name."""
        return torchvision_weights(self.name, weights, download=download)


RULES: dict[Rule, str] = {
    kaiming_fan_out: "resnext50_32x4d resnext101_32x8d resnext101_64x4d",
    kaiming_small_linear: "vgg11 vgg11_bn vgg13 vgg13_bn vgg16 vgg16_bn vgg19 vgg19_bn "
    "mobilenet_v2 mobilenet_v3_small mobilenet_v3_large",
    kaiming_fan_in: "densenet121 densenet161 densenet169 densenet201",
    efficientnet: "efficientnet_b0 efficientnet_b1 efficientnet_b2 efficientnet_b3 "
    "efficientnet_b4 efficientnet_v2_s efficientnet_v2_m",
    mnasnet: "mnasnet0_5 mnasnet0_75 mnasnet1_0 mnasnet1_3",
    truncated_normal: "convnext_tiny convnext_small convnext_base convnext_large",
    as_torch: "alexnet shufflenet_v2_x0_5 shufflenet_v2_x1_0 shufflenet_v2_x1_5 shufflenet_v2_x2_0",
}
"""Networks by the rule of their init. Names are written out: to ask torchvision takes 4 s."""

for _rule, _names in RULES.items():
    for _name in _names.split():
        models.register(_name, params=TorchvisionParams)(TorchvisionFamily(_name, _rule))
