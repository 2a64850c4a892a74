"""EfficientNet-Lite0 trunk as MediaPipe's ``hand_landmark_full`` has it: batch norms folded, ReLU6, TensorFlow padding.

Its published weights (Apache-2.0) learned on real hands, which is what a CPU-trained network of ours lacks most;
`digit.training.pretrained` brings them over. Trained as an ordinary module from there.
"""

from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Block(NamedTuple):
    """One inverted residual: expansion width, kernel, stride, output width."""

    expanded: int
    kernel: int
    stride: int
    out: int


#: The blocks behind the stem, grouped by the stride of their output: 2, 4, 8, 16, 32.
STAGES: tuple[tuple[Block, ...], ...] = (
    (Block(24, 3, 1, 16),),
    (Block(64, 3, 2, 24), Block(144, 3, 1, 24)),
    (Block(144, 5, 2, 40), Block(240, 5, 1, 40)),
    (
        Block(240, 3, 2, 80),
        Block(480, 3, 1, 80),
        Block(480, 3, 1, 80),
        Block(480, 5, 1, 112),
        Block(672, 5, 1, 112),
        Block(672, 5, 1, 112),
    ),
    (Block(672, 5, 2, 192), Block(1152, 5, 1, 192), Block(1152, 5, 1, 192), Block(1152, 5, 1, 192)),
)
STEM = 24
WIDTHS = tuple(stage[-1].out for stage in STAGES)


class SamePadConv(nn.Conv2d):
    """Convolution with TensorFlow's "same" padding: at stride 2 the odd pixel goes to the bottom and the right.

    ``start``: what follows it, for the scale of its random weights.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        stride: int = 1,
        groups: int = 1,
        start: Literal["relu", "linear"] = "relu",
    ):
        self.odd = stride == 2
        super().__init__(
            inputs, outputs, kernel, stride, padding=0 if stride == 2 else kernel // 2, groups=groups, bias=True
        )
        # Without batch norms, PyTorch's own start lets the picture die away within a few blocks.
        nn.init.kaiming_normal_(self.weight, nonlinearity=start)
        assert self.bias is not None
        nn.init.zeros_(self.bias)

    def forward(self, input: Tensor) -> Tensor:
        if self.odd:
            before = (self.kernel_size[0] - 2) // 2
            after = self.kernel_size[0] - 2 - before
            input = F.pad(input, (before, after, before, after))
        return super().forward(input)


class DepthwiseConv(SamePadConv):
    """One filter a channel."""

    def __init__(self, channels: int, kernel: int, stride: int = 1):
        super().__init__(channels, channels, kernel, stride, groups=channels)

    def forward(self, input: Tensor) -> Tensor:
        if not (self.training and input.device.type == "cpu"):
            return super().forward(input)
        # oneDNN's bfloat16 gradient of a depthwise convolution takes two to ten times as long as its float32 one.
        with torch.autocast("cpu", enabled=False):
            return super().forward(input.float())


class InvertedResidual(nn.Module):
    """Expand (1x1), depthwise, project (1x1); the input is added back where shapes allow."""

    def __init__(self, inputs: int, block: Block):
        super().__init__()
        self.expand = SamePadConv(inputs, block.expanded, 1) if block.expanded != inputs else nn.Identity()
        self.depthwise = DepthwiseConv(block.expanded, block.kernel, block.stride)
        self.project = SamePadConv(block.expanded, block.out, 1, start="linear")
        self.activation = nn.ReLU6()
        self.expands = block.expanded != inputs
        self.residual = block.stride == 1 and inputs == block.out

    def forward(self, x: Tensor) -> Tensor:
        y = self.activation(self.expand(x)) if self.expands else x
        y = self.project(self.activation(self.depthwise(y)))
        return x + y if self.residual else y


class HandTrunk(nn.Module):
    """Image (B, 3, S, S), RGB in [0, 1], S a multiple of 32, to features at strides 2, 4, 8, 16 and 32."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = SamePadConv(3, STEM, 3, 2)
        self.activation = nn.ReLU6()
        stages: list[nn.Module] = []
        width = STEM
        for blocks in STAGES:
            stage: list[nn.Module] = []
            for block in blocks:
                stage.append(InvertedResidual(width, block))
                width = block.out
            stages.append(nn.Sequential(*stage))
        self.stages = nn.ModuleList(stages)

    def forward(self, image: Tensor) -> list[Tensor]:
        x = self.activation(self.stem(image))
        features: list[Tensor] = []
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        return features


def convolutions(trunk: HandTrunk) -> list[nn.Conv2d]:
    """The trunk's convolutions in the order of their computation."""
    return [module for module in trunk.modules() if isinstance(module, nn.Conv2d)]
