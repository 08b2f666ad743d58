"""Small networks of every kind of wiring, in float64, and scenes to score them in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models import DenseNet, MobileNetV2
from torchvision.models.resnet import BasicBlock, Bottleneck
from torchvision.models.vgg import make_layers

from prunetune.compress.criterion import Scene
from prunetune.compress.graph.groups import Group
from prunetune.compress.proof.proved_groups import find_groups
from prunetune.compress.scoring.gate_gradients import GateParams, gate_gradients
from prunetune.config.parts import Named
from prunetune.models.cifar_resnet import CifarResNet, ResNetParams
from prunetune.models.vit import ViT
from prunetune.protocols import Shape
from prunetune.registry import criteria
from prunetune.testing.networks import as_if_trained

SHAPE: Shape = (3, 16, 16)
CLASSES = 5


class Blocks(nn.Module):
    """A stem, torchvision's blocks (their ReLU works in place), mean over pixels, a classifier."""

    def __init__(self, stem: int, *blocks: nn.Module, out: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, stem, 3, bias=False), nn.BatchNorm2d(stem)
        self.relu, self.blocks = nn.ReLU(inplace=True), nn.Sequential(*blocks)
        self.fc = nn.Linear(out, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.fc(self.blocks(self.relu(self.bn1(self.conv1(x)))).mean((2, 3)))
        return logits


def shortcut(channels_in: int, channels_out: int, stride: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(channels_in, channels_out, 1, stride, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(channels_out))


class PreActivation(nn.Module):
    """The wiring of a wide ResNet: norms before convolutions, and a last norm after the stream."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 3, padding=1, bias=False)
        self.norms1 = nn.ModuleList(nn.BatchNorm2d(6) for _ in range(2))
        self.convs1 = nn.ModuleList(nn.Conv2d(6, 5, 3, padding=1, bias=False) for _ in range(2))
        self.norms2 = nn.ModuleList(nn.BatchNorm2d(5) for _ in range(2))
        self.convs2 = nn.ModuleList(nn.Conv2d(5, 6, 3, padding=1, bias=False) for _ in range(2))
        self.norm = nn.BatchNorm2d(6)
        self.fc = nn.Linear(6, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for a, b, c, d in zip(self.norms1, self.convs1, self.norms2, self.convs2, strict=True):
            x = x + d(F.relu(c(b(F.relu(a(x))))))
        logits: Tensor = self.fc(F.relu(self.norm(x)).mean((2, 3)))
        return logits


class Plain(nn.Module):
    """Convolutions with bias and without norm, unusual paddings, a flattening, linear layers."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 4, 3, padding="same", dilation=2)
        self.conv2 = nn.Conv2d(4, 6, (3, 1), stride=4, padding=(1, 0), padding_mode="reflect")
        self.fc1 = nn.Linear(6 * 16, 7)
        self.fc2 = nn.Linear(7, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.conv2(F.relu(self.conv1(x), inplace=True)))
        logits: Tensor = self.fc2(F.relu(self.fc1(x.flatten(1))))
        return logits


class Tokens(nn.Module):
    """A transformer's MLP: tokens by channels, GELU between two linear layers, a residual sum."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = nn.Conv2d(3, 8, 4, 4)
        self.norm = nn.LayerNorm(8)
        self.fc1, self.fc2 = nn.Linear(8, 12), nn.Linear(12, 8)
        self.head = nn.Linear(8, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = x + self.fc2(F.gelu(self.fc1(self.norm(x))))
        logits: Tensor = self.head(x.mean(1))
        return logits


class Excited(nn.Module):
    """Squeeze and excitation: one convolution's output scales the output of another."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 6, 3, bias=False), nn.BatchNorm2d(6)
        self.squeeze, self.excite = nn.Conv2d(6, 2, 1), nn.Conv2d(2, 6, 1)
        self.project, self.fc = nn.Conv2d(6, 4, 1), nn.Linear(4, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = F.silu(self.norm(self.conv(x)))
        scale = self.excite(F.relu(self.squeeze(x.mean((2, 3), keepdim=True)))).sigmoid()
        logits: Tensor = self.fc(F.relu(self.project(scale * x)).mean((2, 3)))
        return logits


class Decoder(nn.Module):
    """Transposed convolutions, the second with two groups, the third depthwise."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, 2)
        self.up, self.norm1 = nn.ConvTranspose2d(8, 6, 2, 2, bias=False), nn.BatchNorm2d(6)
        self.grouped = nn.ConvTranspose2d(6, 4, 3, 2, 1, 1, groups=2)
        self.depth, self.norm2 = nn.ConvTranspose2d(4, 4, 3, groups=4), nn.BatchNorm2d(4)
        self.fc = nn.Linear(4, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.norm1(self.up(F.relu(self.stem(x)))))
        x = F.relu(self.norm2(self.depth(F.relu(self.grouped(x)))))
        logits: Tensor = self.fc(x.mean((2, 3)))
        return logits


def cifar_resnet(shortcut: Any) -> nn.Module:
    return CifarResNet(ResNetParams(shortcut=shortcut, widths=(4, 6, 8)), (4, 6, 8), CLASSES, 3)


def mobilenet() -> nn.Module:
    setting = [[1, 8, 1, 1], [2, 8, 2, 1], [2, 12, 1, 2]]
    return MobileNetV2(CLASSES, 0.25, inverted_residual_setting=setting, round_nearest=4)


KINDS: dict[str, Callable[[], nn.Module]] = {
    "cifar resnet A": partial(cifar_resnet, "A"),
    "cifar resnet B": partial(cifar_resnet, "B"),
    "basic blocks": lambda: Blocks(
        6, BasicBlock(6, 6), BasicBlock(6, 8, 2, shortcut(6, 8, 2)), out=8
    ),
    "bottlenecks": lambda: Blocks(
        4, Bottleneck(4, 2, 2, shortcut(4, 8, 2)), Bottleneck(8, 2), out=8
    ),
    "resnext": lambda: Blocks(
        4, Bottleneck(4, 2, 1, shortcut(4, 8), 2, 128), Bottleneck(8, 2, 1, None, 2, 128), out=8
    ),
    "vgg with batch norm": lambda: nn.Sequential(
        make_layers([6, "M", 8, "M"], batch_norm=True),
        nn.Flatten(),
        nn.Linear(8 * 16, 7),
        nn.ReLU(True),
        nn.Linear(7, CLASSES),
    ),
    "mobilenet": mobilenet,
    "densenet": lambda: DenseNet(4, (2, 2), 8, bn_size=2, num_classes=CLASSES),
    "pre-activation": PreActivation,
    "plain": Plain,
    "tokens": Tokens,
    "squeeze and excitation": Excited,
    "decoder": Decoder,
    "vision transformer": lambda: ViT(8, 1, 2, 4, CLASSES, SHAPE),
}


@cache
def network(kind: str) -> nn.Module:
    """A network with statistics as if trained, in float64 and eval mode; do not change it."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = KINDS[kind]()
    return as_if_trained(model).double().eval()


@cache
def groups(kind: str) -> tuple[Group, ...]:
    model = network(kind)
    fixed = [layer for layer in model.modules() if isinstance(layer, nn.Linear)][-1:]
    if kind == "cifar resnet A":
        fixed += [model.get_submodule("conv1")]
        fixed += [b.get_submodule("conv2") for n, b in model.named_modules() if n.endswith(".0")]
    return find_groups(model, SHAPE, fixed)


def images(n: int) -> tuple[Tensor, Tensor]:
    """The first n of eight images, and their labels."""
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(8, *SHAPE, generator=generator, dtype=torch.float64)
    return x[:n], torch.randint(CLASSES, (8,), generator=generator)[:n]


def scene_of(
    model: nn.Module, groups: Sequence[Group], n: int = 8, chunk: int = 3, **options: Any
) -> Scene:
    x, y = options.pop("data", None) or images(n)

    def batches(limit: int) -> Iterator[tuple[Tensor, Tensor]]:
        return zip(x[:limit].split(chunk), y[:limit].split(chunk), strict=True)

    generator = torch.Generator().manual_seed(options.pop("seed", 0))
    return Scene(model, SHAPE, groups, generator, batches, **options)


def score(name: str, scene: Scene, **params: Any) -> list[Tensor]:
    scores: list[Tensor] = criteria.make(Named(name=name, params=params)).score(scene)
    return scores


def joint_q(kind: str, n: int = 8) -> list[Tensor]:
    """Per group q as (images, units)."""
    scene = scene_of(network(kind), groups(kind), n)
    return [q[0] for q in gate_gradients(scene, "test", GateParams())]


def losses(model: nn.Module, n: int) -> Tensor:
    x, y = images(n)
    return F.cross_entropy(model(x), y, reduction="none")
