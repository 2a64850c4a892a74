"""digit-w32: the paper's network (Fan et al., "Learning to Disambiguate Strongly Interacting Hands via Probabilistic
Per-Pixel Part Segmentation", 3DV 2021) and the output that every DIGIT network has.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from digit.hrnet import WIDTHS, HRNetW32
from digit.skeleton import JOINTS_PER_HAND, PART_CLASSES

JOINTS = 2 * JOINTS_PER_HAND
ROOT_BINS = 64
VISUAL = WIDTHS[0]
SEMANTIC = 512
FUSED = VISUAL + SEMANTIC


class DigitOutput(NamedTuple):
    """What a DIGIT network answers for B crops of 256 x 256; `digit.predict` reads it."""

    heatmap_logits: Tensor  # (B, 42, 64, 64), before the softmax over all cells
    depth_maps: Tensor  # (B, 42, 64, 64), on the 0..64 scale; a joint's z is their mean under its heatmap
    part_logits: Tensor  # (B, 33, 128, 128)
    root_depth_logits: Tensor  # (B, 64) bins of left wrist z minus right wrist z
    handedness_logits: Tensor  # (B, 2): right, left


def conv_norm_relu(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
    return nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)


def double_conv(inputs: int, outputs: int, middle: int | None = None) -> nn.Sequential:
    """Fig. 16: 3x3 convolution, batch norm and ReLU, twice."""
    middle = middle or outputs
    return nn.Sequential(*conv_norm_relu(inputs, middle), *conv_norm_relu(middle, outputs))


def down(inputs: int, outputs: int) -> nn.Sequential:
    """Fig. 16, Down: half the size."""
    return nn.Sequential(nn.MaxPool2d(2), double_conv(inputs, outputs))


def upsample() -> nn.Upsample:
    return nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)


class Fusion(nn.Module):
    """Fig. 16: the UNet that fuses visual and semantic features (B, 544, 64, 64) across scales."""

    def __init__(self) -> None:
        super().__init__()
        self.enter = double_conv(FUSED, 64)
        self.down1 = down(64, 128)
        self.down2 = down(128, 256)
        self.down3 = down(256, 256)
        self.upsample = upsample()
        self.up1 = double_conv(256 + 256, 128, middle=256)
        self.up2 = double_conv(128 + 128, 64, middle=128)
        self.up3 = double_conv(64 + 64, 64, middle=64)
        self.leave = nn.Conv2d(64, FUSED, 1)

    def forward(self, x: Tensor) -> Tensor:
        x1 = self.enter(x)
        x2 = self.down1(x1)
        x3 = self.down2(x2)
        x4 = self.down3(x3)
        x = self.up1(torch.cat((x3, self.upsample(x4)), dim=1))
        x = self.up2(torch.cat((x2, self.upsample(x)), dim=1))
        x = self.up3(torch.cat((x1, self.upsample(x)), dim=1))
        return self.leave(x)


def segmentation() -> nn.Sequential:
    """Table 9: visual features (B, 32, 64, 64) to part logits (B, 33, 128, 128)."""
    return nn.Sequential(
        upsample(),
        *conv_norm_relu(VISUAL, 16),
        *conv_norm_relu(16, 64),
        *conv_norm_relu(64, PART_CLASSES),
        nn.Conv2d(PART_CLASSES, PART_CLASSES, 3, padding=1),
    )


def semantic() -> nn.Sequential:
    """Part logits to semantic features S' (B, 512, 64, 64)."""
    return nn.Sequential(
        nn.Conv2d(PART_CLASSES, 64, 3, padding=1), nn.ReLU(inplace=True),
        nn.Conv2d(64, SEMANTIC, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(2),
    )  # fmt: skip


def context() -> nn.Sequential:
    """Table 10: fused features to the latent vector x (B, 512)."""
    layers: list[nn.Module] = []
    for a, b, c in ((FUSED, 64, 128), (128, 256, 512), (512, 512, 512)):
        layers += [nn.Conv2d(a, b, 3, padding=1), nn.ReLU(inplace=True)]
        layers += [nn.Conv2d(b, c, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())


def mlp(outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(512, 512), nn.ReLU(inplace=True), nn.Linear(512, outputs))


class DigitW32(nn.Module):
    """Fig. 11 and 12. 40.7 M parameters, 47.7 GFLOP a crop."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = HRNetW32()
        self.segmentation = segmentation()
        self.semantic = semantic()
        self.fusion = Fusion()
        self.heatmaps = nn.Conv2d(FUSED, JOINTS, 1)
        self.depth_maps = nn.Conv2d(FUSED, JOINTS, 1)
        self.context = context()
        self.root_depth = mlp(ROOT_BINS)
        self.handedness = mlp(2)

    def forward(self, image: Tensor) -> DigitOutput:
        """Both hands in crops (B, 3, 256, 256), RGB in [0, 1]."""
        features = self.backbone(image)
        part_logits = self.segmentation(features)
        fused = self.fusion(torch.cat((features, self.semantic(part_logits)), dim=1))
        x = self.context(fused)
        return DigitOutput(
            heatmap_logits=self.heatmaps(fused),
            depth_maps=self.depth_maps(fused),
            part_logits=part_logits,
            root_depth_logits=self.root_depth(x),
            handedness_logits=self.handedness(x),
        )
