"""ResNet-50 (He et al., CVPR 2016) without its classifier, and the upsampling layers of Xiao et al. (ECCV 2018).

Module names are those of the published weights, so that they load as they are; nothing is fetched.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from digit.hrnet import Bottleneck

#: Blocks of each stage, and the width inside them; a stage's output is four times as wide.
STAGES = ((3, 64), (4, 128), (6, 256), (3, 512))
OUTPUT = 4 * STAGES[-1][1]
#: Width of the upsampling layers.
UPSAMPLED = 256


class ResNet50(nn.Module):
    """Image (B, 3, H, W) to features (B, 2048, H / 32, W / 32)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.layer1 = stage(64, *STAGES[0], stride=1)
        self.layer2 = stage(256, *STAGES[1], stride=2)
        self.layer3 = stage(512, *STAGES[2], stride=2)
        self.layer4 = stage(1024, *STAGES[3], stride=2)

    def forward(self, image: Tensor) -> Tensor:
        x = self.maxpool(F.relu(self.bn1(self.conv1(image))))
        return self.layer4(self.layer3(self.layer2(self.layer1(x))))


def stage(inputs: int, blocks: int, width: int, stride: int) -> nn.Sequential:
    first = Bottleneck(inputs, width, stride)
    return nn.Sequential(first, *(Bottleneck(4 * width, width) for _ in range(blocks - 1)))


def upsampler(inputs: int = OUTPUT, width: int = UPSAMPLED) -> nn.Sequential:
    """Three transposed convolutions, each to twice the size: stride 32 to stride 4."""
    layers: list[nn.Module] = []
    for channels in (inputs, width, width):
        layers += [nn.ConvTranspose2d(channels, width, 4, 2, 1, bias=False), nn.BatchNorm2d(width)]
        layers.append(nn.ReLU(inplace=True))
    return nn.Sequential(*layers)
