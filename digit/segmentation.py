"""The segmentation branch: part logits from visual features (Table 9), and semantic features from part logits."""

import torch.nn.functional as F
from torch import Tensor, nn

from digit.unet import conv_norm_relu, he_start
from digit.variants import Segmentation

#: Cells to a side of the visual features of a crop of 256 px.
FEATURE_SIZE = 64


def segmentation(visual: int, to: Segmentation, widths: tuple[int, int]) -> nn.Sequential:
    """Table 9: visual features (B, visual, 64, 64) to part logits (B, to.classes, to.size, to.size)."""
    a, b = widths
    return nn.Sequential(
        nn.Upsample(scale_factor=to.size // FEATURE_SIZE, mode="bilinear", align_corners=True),
        *conv_norm_relu(visual, a),
        *conv_norm_relu(a, b),
        *conv_norm_relu(b, to.classes),
        nn.Conv2d(to.classes, to.classes, 3, padding=1),
    )


def semantic(of: Segmentation, widths: tuple[int, int]) -> nn.Sequential:
    """Part logits, or one-hot labels, to semantic features S' (B, widths[1], 64, 64)."""
    a, b = widths
    layers = (
        nn.Conv2d(of.classes, a, 3, padding=1), nn.ReLU(inplace=True),
        nn.Conv2d(a, b, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(of.size // FEATURE_SIZE),
    )  # fmt: skip
    return he_start(nn.Sequential(*layers))


class ClassLabels(nn.Module):
    """Logits (B, C, H, W) to the most likely class as a one-hot map of that shape: no gradient passes."""

    def forward(self, logits: Tensor) -> Tensor:
        return F.one_hot(logits.argmax(dim=1), logits.shape[1]).permute(0, 3, 1, 2).to(logits.dtype)
