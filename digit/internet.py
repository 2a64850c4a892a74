"""InterNet (Moon et al., "InterHand2.6M", ECCV 2020), which the paper's Tables 1, 5, 6 and 8 compare to.

Written from its description: ResNet-50; for each hand three transposed convolutions and a 1x1 convolution to volumetric
heatmaps; two MLPs on the mean feature, to the presence of each hand and to a 1D heatmap of the relative root depth.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from digit.heatmap import DEPTH_SCALE
from digit.model import ROOT_BINS, mlp
from digit.resnet import OUTPUT, UPSAMPLED, ResNet50, upsampler
from digit.skeleton import JOINTS_PER_HAND

#: Value of a perfect heatmap at its joint. Far from 1, so that the many empty cells do not outweigh the joint's.
PEAK = 255.0


class InterNetOutput(NamedTuple):
    """What InterNet answers for B crops of 256 x 256; `digit.predict` reads it."""

    heatmaps: Tensor  # (B, 42, 64, 64, 64): depth, row, column; `PEAK` at the joint; depth 0..64 is -200..200 mm
    root_depth_logits: Tensor  # (B, 64) bins of left wrist z minus right wrist z
    handedness_logits: Tensor  # (B, 2): right, left


class InterNet(nn.Module):
    """47.3 M parameters, as Table 8 counts: with upsampling layers for each hand, and two MLPs of 512 units."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = ResNet50()
        self.right = hand()
        self.left = hand()
        self.root_depth = mlp(OUTPUT, 512, ROOT_BINS)
        self.handedness = mlp(OUTPUT, 512, 2)

    def forward(self, image: Tensor) -> InterNetOutput:
        """Both hands in crops (B, 3, 256, 256), RGB in [0, 1]."""
        features = self.backbone(image)
        mean = features.mean(dim=(2, 3))
        slices = torch.cat((self.right(features), self.left(features)), dim=1)
        return InterNetOutput(
            heatmaps=slices.unflatten(1, (2 * JOINTS_PER_HAND, DEPTH_SCALE)),
            root_depth_logits=self.root_depth(mean),
            handedness_logits=self.handedness(mean),
        )


def hand() -> nn.Sequential:
    """Features (B, 2048, 8, 8) to one hand's heatmaps (B, 21 x 64, 64, 64)."""
    return nn.Sequential(upsampler(), nn.Conv2d(UPSAMPLED, JOINTS_PER_HAND * DEPTH_SCALE, 1))
