"""digit-lite: DIGIT's idea at a twentieth of its cost, for two CPU cores.

The same path as the paper's Fig. 2: visual features, a probabilistic part segmentation, semantic features made of its
probabilities, their fusion in a small UNet, and the 2.5D heads of Fig. 3. Five things differ. The backbone is
`digit.trunk`, and the whole network works on 224x224 with logits resized to the paper's sizes; it learns at smaller and
larger sizes. The fusion may take a landmark prior: where a single-hand landmarker saw the joints. An all-zero prior
leaves the plain network. The relative root depth is also read off the 2.5D pose, where the nearer hand is the larger
one. The parts that it answers with also learn from the fused features; the semantic ones are made of the parts before.
And its depths point along the view through the crop's centre (`digit.geometry.axis_of`), as no crop tells where the
camera looks.
"""

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from digit.heatmap import DEPTH_SCALE, read
from digit.model import DigitOutput
from digit.prediction import CROP_SIZE, DEPTH_RANGE_MM, DepthAxis
from digit.skeleton import PART_CLASSES
from digit.trunk import WIDTHS, HandTrunk

INPUT_SIZE = 224
HEATMAP_SIZE = 64
PART_SIZE = 128
JOINTS = 42
ROOT_BINS = 64
#: Channels of the prior's features.
HINT = 64
#: Standard deviation of a prior joint's Gaussian, in cells of the fusion grid (stride 8).
PRIOR_SIGMA = 0.8


def conv(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """Convolution, batch norm, ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


def resize(x: Tensor, size: int) -> Tensor:
    return F.interpolate(x, size=(size, size), mode="bilinear", align_corners=False)


class Residual(nn.Module):
    """Two convolutions beside the identity (He et al. 2016), which alone a new block is."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.enter = conv(width, width)
        self.leave = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(width)
        nn.init.zeros_(self.norm.weight)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.norm(self.leave(self.enter(x))))


class Neck(nn.Module):
    """Top-down features: trunk stages at strides 4 to 32 in, (48 at stride 4, 96 at stride 8) out.

    The prior's features join at stride 8, so that the segmentation knows of them as well.
    """

    def __init__(self) -> None:
        super().__init__()
        _, c4, c8, c16, c32 = WIDTHS
        self.top = conv(c32, 128, 1)
        self.lateral16 = conv(c16, 128, 1)
        self.smooth16 = conv(128, 128)
        self.reduce16 = conv(128, 96, 1)
        self.lateral8 = conv(c8, 96, 1)
        self.hint8 = nn.Conv2d(HINT, 96, 1)
        self.smooth8 = conv(96, 96)
        self.reduce8 = conv(96, 48, 1)
        self.lateral4 = conv(c4, 48, 1)
        self.smooth4 = conv(48, 48)

    def forward(self, stages: list[Tensor], hint: Tensor) -> tuple[Tensor, Tensor]:
        _, s4, s8, s16, s32 = stages
        p16 = self.smooth16(self.lateral16(s16) + resize(self.top(s32), s16.shape[-1]))
        p8 = self.smooth8(self.lateral8(s8) + resize(self.reduce16(p16), s8.shape[-1]) + self.hint8(hint))
        p4 = self.smooth4(self.lateral4(s4) + resize(self.reduce8(p8), s4.shape[-1]))
        return p4, p8


class Fusion(nn.Module):
    """The UNet that fuses visual, semantic and prior features at stride 8; also returns its coarsest level."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.enter = nn.Sequential(conv(inputs, 96, 1), conv(96, 96))
        self.down16 = nn.Sequential(conv(96, 128, stride=2), conv(128, 128))
        self.think16 = nn.Sequential(Residual(128), Residual(128))
        self.down32 = nn.Sequential(conv(128, 160, stride=2), conv(160, 160))
        self.think32 = nn.Sequential(Residual(160), Residual(160), Residual(160))
        self.up16 = nn.Sequential(conv(160 + 128, 128, 1), conv(128, 128))
        self.up8 = nn.Sequential(conv(128 + 96, 96, 1), conv(96, 96))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        f8 = self.enter(x)
        f16 = self.think16(self.down16(f8))
        f32 = self.think32(self.down32(f16))
        f16 = self.up16(torch.cat((f16, resize(f32, f16.shape[-1])), dim=1))
        f8 = self.up8(torch.cat((f8, resize(f16, f8.shape[-1])), dim=1))
        return f8, f32


class DigitLite(nn.Module):
    """See the module. 5.9 M parameters, 2.4 GFLOP a crop."""

    depth_axis: ClassVar[DepthAxis] = "crop"

    def __init__(self) -> None:
        super().__init__()
        #: Pixels to a side that a crop is shrunk to, a multiple of 32.
        self.input_size = INPUT_SIZE
        self.trunk = HandTrunk()
        self.neck = Neck()
        self.part_coarse = nn.Conv2d(48, PART_CLASSES, 1)
        self.part_fine = nn.Sequential(conv(WIDTHS[0], 24, 1), nn.Conv2d(24, PART_CLASSES, 1))
        self.semantic = conv(PART_CLASSES, 64, stride=2)
        self.prior = conv(2 * JOINTS, HINT, 1)
        self.fusion = Fusion(96 + 64 + HINT)
        self.head_coarse = conv(96, 48, 1)
        self.head = conv(48 + 48, 64)
        self.part_late = nn.Conv2d(64, PART_CLASSES, 1)
        self.heatmaps = nn.Conv2d(64, JOINTS, 1)
        self.depths = nn.Conv2d(64, JOINTS, 1)
        self.context = nn.Sequential(nn.Linear(160, 160), nn.ReLU(inplace=True))
        self.root_depth = nn.Linear(160, ROOT_BINS)
        self.root_from_pose = nn.Sequential(
            nn.Linear(160 + 3 * JOINTS, 160), nn.ReLU(inplace=True), nn.Linear(160, ROOT_BINS)
        )
        self.handedness = nn.Linear(160, 2)

    def forward(self, image: Tensor, prior: Tensor | None = None) -> DigitOutput:
        """Both hands in a crop.

        Args:
            image: (B, 3, 256, 256), RGB in [0, 1].
            prior: (B, 42, 4) as `digit.prediction.Prior`, or None for no prior.
        """
        if prior is None:
            prior = image.new_zeros(image.shape[0], JOINTS, 4)
        stages = self.trunk(resize(image, self.input_size))
        hint = self.prior(prior_maps(prior, stages[2].shape[-1]))
        p4, p8 = self.neck(stages, hint)
        part_logits = self.part_coarse(p4)
        semantic = self.semantic(part_logits.softmax(dim=1))
        f8, f32 = self.fusion(torch.cat((p8, semantic, hint), dim=1))
        head = self.head(torch.cat((p4, resize(self.head_coarse(f8), p4.shape[-1])), dim=1))
        context = self.context(f32.mean(dim=(2, 3)))
        # The pose is thought about where both hands are seen as wholes: the parts shown are to agree with it.
        part_logits = part_logits + self.part_late(head)
        fine = self.part_fine(stages[0])
        heatmap_logits = resize(self.heatmaps(head), HEATMAP_SIZE)
        depth_maps = resize(self.depths(head), HEATMAP_SIZE) + 32.0
        pose = pose_of(heatmap_logits, depth_maps).to(context.dtype)
        return DigitOutput(
            heatmap_logits=heatmap_logits,
            depth_maps=depth_maps,
            part_logits=resize(resize(part_logits, fine.shape[-1]) + fine, PART_SIZE),
            root_depth_logits=self.root_depth(context) + self.root_from_pose(torch.cat((context, pose), dim=1)),
            handedness_logits=self.handedness(context),
        )


def pose_of(heatmap_logits: Tensor, depth_maps: Tensor) -> Tensor:
    """The 2.5D pose (B, 126), x, y and z of each joint in [-1, 1]. No gradient: the root depth must not bend it."""
    cells, depth, _, _ = read(heatmap_logits.detach(), depth_maps.detach())
    xy = cells * (2 / (HEATMAP_SIZE - 1)) - 1
    z = depth * (2 / DEPTH_SCALE) - 1
    return torch.cat((xy, z.unsqueeze(2)), dim=2).flatten(1)


def prior_maps(prior: Tensor, size: int) -> Tensor:
    """Draw a prior (B, 42, 4) as (B, 84, size, size): a Gaussian a joint, then the same times its depth in [-1, 1]."""
    cell = CROP_SIZE / size
    grid = torch.arange(size, device=prior.device, dtype=prior.dtype)
    x, y, z_mm, weight = prior.unbind(dim=-1)
    column = torch.exp(-(((x.unsqueeze(-1) + 0.5) / cell - 0.5 - grid) ** 2) / (2 * PRIOR_SIGMA**2))
    row = torch.exp(-(((y.unsqueeze(-1) + 0.5) / cell - 0.5 - grid) ** 2) / (2 * PRIOR_SIGMA**2))
    maps = row.unsqueeze(-1) * (column * weight.unsqueeze(-1)).unsqueeze(-2)
    depth = (z_mm / DEPTH_RANGE_MM * 2).clamp(-1, 1)
    return torch.cat((maps, maps * depth[..., None, None]), dim=1)
