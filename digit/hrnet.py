"""HRNet-W32 for poses (Sun et al., CVPR 2019), cut to its 32-channel, stride-4 output: DIGIT's backbone.

Module names are those of the published pose HRNet, so that its weights load as they are.
"""

from collections.abc import Iterable
from functools import reduce
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

#: Channels of the four branches, at strides 4, 8, 16 and 32.
WIDTHS = (32, 64, 128, 256)
#: How many exchange modules stages 2, 3 and 4 have.
MODULES = (1, 4, 3)
BLOCKS = 4
STEM = 64


def conv3x3(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)


def conv_norm(conv: nn.Conv2d, relu: bool = True) -> nn.Sequential:
    norm = nn.BatchNorm2d(conv.out_channels)
    return nn.Sequential(conv, norm, nn.ReLU(inplace=True)) if relu else nn.Sequential(conv, norm)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and the input added back."""

    def __init__(self, width: int):
        super().__init__()
        self.conv1 = conv3x3(width, width)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = conv3x3(width, width)
        self.bn2 = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(y)) + x)


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions to four times the width, and the input added back."""

    def __init__(self, inputs: int, width: int, stride: int = 1):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = conv3x3(width, width, stride)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * width)
        same = inputs == 4 * width and stride == 1
        self.downsample = None if same else conv_norm(nn.Conv2d(inputs, 4 * width, 1, stride, bias=False), relu=False)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


def exchange_path(source: int, target: int) -> nn.Module:
    """From branch ``source`` to the shape of branch ``target``: 1x1 and nearest upsampling, or strided 3x3s."""
    if source == target:
        return nn.Identity()
    if source > target:
        up = conv_norm(nn.Conv2d(WIDTHS[source], WIDTHS[target], 1, bias=False), relu=False)
        return up.append(nn.Upsample(scale_factor=2 ** (source - target), mode="nearest"))
    steps = [conv_norm(conv3x3(WIDTHS[source], WIDTHS[source], 2)) for _ in range(target - source - 1)]
    return nn.Sequential(*steps, conv_norm(conv3x3(WIDTHS[source], WIDTHS[target], 2), relu=False))


class ExchangeModule(nn.Module):
    """Basic blocks in each branch, then every kept branch becomes the sum of all of them."""

    def __init__(self, branches: int, kept: int):
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Sequential(*(BasicBlock(width) for _ in range(BLOCKS))) for width in WIDTHS[:branches]
        )
        self.fuse_layers = nn.ModuleList(
            nn.ModuleList(exchange_path(source, target) for source in range(branches)) for target in range(kept)
        )

    def forward(self, features: list[Tensor]) -> list[Tensor]:
        features = [branch(x) for branch, x in zip(self.branches, features, strict=True)]
        targets = cast("Iterable[nn.ModuleList]", self.fuse_layers)
        return [
            F.relu(reduce(torch.add, (path(x) for path, x in zip(paths, features, strict=True)))) for paths in targets
        ]


class Stage(nn.Sequential):
    """Exchange modules over ``branches`` branches; the last one keeps only the first ``kept``."""

    def __init__(self, branches: int, modules: int, kept: int | None = None):
        keeps = [branches] * (modules - 1) + [kept or branches]
        super().__init__(*(ExchangeModule(branches, keep) for keep in keeps))


class HRNetW32(nn.Module):
    """Image (B, 3, H, W) to features (B, 32, H / 4, W / 4)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = conv3x3(3, STEM, 2)
        self.bn1 = nn.BatchNorm2d(STEM)
        self.conv2 = conv3x3(STEM, STEM, 2)
        self.bn2 = nn.BatchNorm2d(STEM)
        self.layer1 = nn.Sequential(*(Bottleneck(STEM if i == 0 else 4 * STEM, STEM) for i in range(BLOCKS)))
        # A transition makes each stage's new branch from the last one before it; where nothing changes stands Identity.
        self.transition1 = nn.ModuleList(
            [conv_norm(conv3x3(4 * STEM, WIDTHS[0])), nn.Sequential(conv_norm(conv3x3(4 * STEM, WIDTHS[1], 2)))]
        )
        self.stage2 = Stage(2, MODULES[0])
        self.transition2 = new_branch(2)
        self.stage3 = Stage(3, MODULES[1])
        self.transition3 = new_branch(3)
        self.stage4 = Stage(4, MODULES[2], kept=1)

    def forward(self, image: Tensor) -> Tensor:
        x = F.relu(self.bn1(self.conv1(image)))
        x = self.layer1(F.relu(self.bn2(self.conv2(x))))
        features = self.stage2([transition(x) for transition in self.transition1])
        features = self.stage3([*features, self.transition2[-1](features[-1])])
        return self.stage4([*features, self.transition3[-1](features[-1])])[0]


def new_branch(branches: int) -> nn.ModuleList:
    """Identities for ``branches`` branches, then the strided convolution that starts the next one."""
    start = nn.Sequential(conv_norm(conv3x3(WIDTHS[branches - 1], WIDTHS[branches], 2)))
    return nn.ModuleList([*(nn.Identity() for _ in range(branches)), start])
