"""The paper's networks (Fan et al., "Learning to Disambiguate Strongly Interacting Hands via Probabilistic Per-Pixel
Part Segmentation", 3DV 2021): DIGIT (Fig. 2), the three of Fig. 6 that it is compared to, and the output of them all.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from digit.backbones import HRNetFeatures, VisualBackbone
from digit.heatmap import DEPTH_SCALE
from digit.segmentation import ClassLabels, segmentation, semantic
from digit.skeleton import JOINTS_PER_HAND
from digit.unet import Fusion, he_start
from digit.variants import Segmentation

JOINTS = 2 * JOINTS_PER_HAND
ROOT_BINS = 64


class DigitOutput(NamedTuple):
    """What a DIGIT network answers for B crops of 256 x 256; `digit.predict` reads it."""

    heatmap_logits: Tensor  # (B, 42, 64, 64), before the softmax over all cells
    depth_maps: Tensor  # (B, 42, 64, 64), on the 0..64 scale; a joint's z is their mean under its heatmap
    part_logits: Tensor | None  # (B, 33, 128, 128), or as the variant's `Segmentation` says; None without one
    root_depth_logits: Tensor  # (B, 64) bins of left wrist z minus right wrist z
    handedness_logits: Tensor  # (B, 2): right, left


@dataclass(frozen=True, slots=True)
class Widths:
    """Channels of the layers behind the backbone."""

    segmentation: tuple[int, int]
    semantic: tuple[int, int]
    unet: tuple[int, int, int]
    context: tuple[tuple[int, int], ...]  # two convolutions, then half the size; the last is that of the latent vector
    mlp: int


#: Tables 9 and 10, Fig. 16.
PAPER = Widths((16, 64), (64, 512), (64, 128, 256), ((64, 128), (256, 512), (512, 512)), 512)
#: In proportion to the lite backbone: the ablation on a small budget.
LITE = Widths((16, 32), (32, 64), (32, 64, 128), ((32, 64), (96, 128), (128, 128)), 128)


class PoseEstimator(nn.Module):
    """Fig. 12: features (B, channels, 64, 64) to pose, relative root depth and handedness."""

    def __init__(self, channels: int, widths: Widths = PAPER) -> None:
        super().__init__()
        latent = widths.context[-1][-1]
        self.heatmaps = nn.Conv2d(channels, JOINTS, 1)
        self.depth_maps = nn.Conv2d(channels, JOINTS, 1)
        self.context = context(channels, widths.context)
        self.root_depth = mlp(latent, widths.mlp, ROOT_BINS)
        self.handedness = mlp(latent, widths.mlp, 2)
        # Untrained, every joint lies as deep as its wrist, not 200 mm before it.
        assert self.depth_maps.bias is not None
        nn.init.constant_(self.depth_maps.bias, DEPTH_SCALE / 2)

    def forward(self, features: Tensor, part_logits: Tensor | None) -> DigitOutput:
        """``part_logits`` pass through to the output."""
        x = self.context(features)
        return DigitOutput(
            heatmap_logits=self.heatmaps(features),
            depth_maps=self.depth_maps(features),
            part_logits=part_logits,
            root_depth_logits=self.root_depth(x),
            handedness_logits=self.handedness(x),
        )


def context(channels: int, widths: tuple[tuple[int, int], ...]) -> nn.Sequential:
    """Table 10: features to the latent vector x (B, widths[-1][-1])."""
    layers: list[nn.Module] = []
    for a, b in widths:
        layers += [nn.Conv2d(channels, a, 3, padding=1), nn.ReLU(inplace=True)]
        layers += [nn.Conv2d(a, b, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(2)]
        channels = b
    return he_start(nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten()))


def mlp(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    return he_start(nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(inplace=True), nn.Linear(hidden, outputs)))


class Baseline(nn.Module):
    """Fig. 6a: the pose estimator on visual features."""

    def __init__(self, backbone: VisualBackbone, widths: Widths) -> None:
        super().__init__()
        self.backbone = backbone
        self.estimator = PoseEstimator(backbone.channels, widths)

    def forward(self, image: Tensor) -> DigitOutput:
        """Both hands in crops (B, 3, 256, 256), RGB in [0, 1]."""
        return self.estimator(self.backbone(image), None)


class SegmentationAsLoss(nn.Module):
    """Fig. 6b: as the baseline; the segmentation is there to be supervised, and helps no joint by itself."""

    def __init__(self, backbone: VisualBackbone, parts: Segmentation, widths: Widths) -> None:
        super().__init__()
        self.backbone = backbone
        self.segmentation = segmentation(backbone.channels, parts, widths.segmentation)
        self.estimator = PoseEstimator(backbone.channels, widths)

    def forward(self, image: Tensor) -> DigitOutput:
        """Both hands in crops (B, 3, 256, 256), RGB in [0, 1]."""
        features = self.backbone(image)
        return self.estimator(features, self.segmentation(features))


class SegmentationToPose(nn.Module):
    """Fig. 6c: the pose from the segmentation alone, through the same layers as in Fig. 2."""

    def __init__(self, backbone: VisualBackbone, parts: Segmentation, widths: Widths) -> None:
        super().__init__()
        fused = widths.semantic[-1]
        self.backbone = backbone
        self.segmentation = segmentation(backbone.channels, parts, widths.segmentation)
        self.seen = ClassLabels() if parts.labels else nn.Identity()
        self.semantic = semantic(parts, widths.semantic)
        self.fusion = Fusion(fused, widths.unet)
        self.estimator = PoseEstimator(fused, widths)

    def forward(self, image: Tensor) -> DigitOutput:
        """Both hands in crops (B, 3, 256, 256), RGB in [0, 1]."""
        part_logits = self.segmentation(self.backbone(image))
        return self.estimator(self.fusion(self.semantic(self.seen(part_logits))), part_logits)


class Digit(nn.Module):
    """Fig. 2 and 11: visual features and semantic features, fused."""

    def __init__(self, backbone: VisualBackbone, parts: Segmentation, widths: Widths) -> None:
        super().__init__()
        fused = backbone.channels + widths.semantic[-1]
        self.backbone = backbone
        self.segmentation = segmentation(backbone.channels, parts, widths.segmentation)
        self.semantic = semantic(parts, widths.semantic)
        self.fusion = Fusion(fused, widths.unet)
        self.estimator = PoseEstimator(fused, widths)

    def forward(self, image: Tensor) -> DigitOutput:
        """Both hands in crops (B, 3, 256, 256), RGB in [0, 1]."""
        features = self.backbone(image)
        part_logits = self.segmentation(features)
        return self.estimator(self.fusion(torch.cat((features, self.semantic(part_logits)), dim=1)), part_logits)


class DigitW32(Digit):
    """digit-w32, the paper's network to the letter: 40.7 M parameters, 47.7 GFLOP a crop."""

    def __init__(self) -> None:
        super().__init__(HRNetFeatures(), Segmentation(), PAPER)
