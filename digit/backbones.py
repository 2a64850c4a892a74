"""Backbones of the paper's networks: image (B, 3, H, W) to visual features F (B, channels, H / 4, W / 4)."""

from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from digit import hrnet, resnet, trunk


class VisualBackbone(nn.Module):
    """What the networks of `digit.model` stand on."""

    channels: ClassVar[int]


class HRNetFeatures(hrnet.HRNetW32, VisualBackbone):
    """HRNet-W32, the paper's backbone."""

    channels = hrnet.WIDTHS[0]


class ResNetFeatures(VisualBackbone):
    """ResNet-50 (paper, sec. 8), brought back to stride 4 by transposed convolutions."""

    channels = resnet.UPSAMPLED

    def __init__(self) -> None:
        super().__init__()
        self.resnet = resnet.ResNet50()
        self.upsampler = resnet.upsampler()

    def forward(self, image: Tensor) -> Tensor:
        return self.upsampler(self.resnet(image))


class LiteFeatures(VisualBackbone):
    """digit-lite's trunk and a top-down path to stride 4: for two CPU cores."""

    channels = 32
    #: Width of the top-down path.
    PATH = 64

    def __init__(self) -> None:
        super().__init__()
        self.trunk = trunk.HandTrunk()
        self.laterals = nn.ModuleList(nn.Conv2d(width, self.PATH, 1) for width in trunk.WIDTHS[1:])
        self.smooth = nn.Sequential(
            nn.Conv2d(self.PATH, self.channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(self.channels),
            nn.ReLU(inplace=True),
        )

    def forward(self, image: Tensor) -> Tensor:
        s4, s8, s16, s32 = (lateral(x) for lateral, x in zip(self.laterals, self.trunk(image)[1:], strict=True))
        x = s32
        for finer in (s16, s8, s4):
            x = finer + F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
        return self.smooth(F.relu(x))
