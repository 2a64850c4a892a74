"""The UNet that fuses visual and semantic features across scales (Fig. 16)."""

from itertools import pairwise

import torch
from torch import Tensor, nn


def conv_norm_relu(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
    return nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)


def he_start(layers: nn.Sequential) -> nn.Sequential:
    """Random weights that keep a picture's contrast through layers without batch norm (He et al., ICCV 2015).

    PyTorch's own start loses it: behind Table 10 all pictures would give one vector.
    """
    for layer, after in pairwise(layers):
        if isinstance(layer, nn.Conv2d | nn.Linear) and isinstance(after, nn.ReLU):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)
    return layers


def double_conv(inputs: int, outputs: int, middle: int | None = None) -> nn.Sequential:
    """Fig. 16: 3x3 convolution, batch norm and ReLU, twice."""
    middle = middle or outputs
    return nn.Sequential(*conv_norm_relu(inputs, middle), *conv_norm_relu(middle, outputs))


def down(inputs: int, outputs: int) -> nn.Sequential:
    """Fig. 16, Down: half the size."""
    return nn.Sequential(nn.MaxPool2d(2), double_conv(inputs, outputs))


class Fusion(nn.Module):
    """Features (B, channels, H, W) to fused features of that shape; H and W multiples of 8.

    ``widths`` are those of its levels; the paper's are 64, 128 and 256, the last one twice.
    """

    def __init__(self, channels: int, widths: tuple[int, int, int]) -> None:
        super().__init__()
        a, b, c = widths
        self.enter = double_conv(channels, a)
        self.down1 = down(a, b)
        self.down2 = down(b, c)
        self.down3 = down(c, c)
        self.upsample = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)
        self.up1 = double_conv(c + c, b, middle=c)
        self.up2 = double_conv(b + b, a, middle=b)
        self.up3 = double_conv(a + a, a, middle=a)
        self.leave = nn.Conv2d(a, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        x1 = self.enter(x)
        x2 = self.down1(x1)
        x3 = self.down2(x2)
        x4 = self.down3(x3)
        x = self.up1(torch.cat((x3, self.upsample(x4)), dim=1))
        x = self.up2(torch.cat((x2, self.upsample(x)), dim=1))
        x = self.up3(torch.cat((x1, self.upsample(x)), dim=1))
        return self.leave(x)
