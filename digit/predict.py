"""From a network's output to what it says of both hands, the same for every network; and from crop to prediction as one
graph, which every backend runs, so that all of them mean the same by each number.
"""

import inspect
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from digit import heatmap
from digit.calibration import Calibration
from digit.internet import PEAK, InterNetOutput
from digit.model import DigitOutput
from digit.prediction import CROP_SIZE, DEPTH_RANGE_MM, DepthAxis
from digit.skeleton import BACKGROUND, FIRST_PART, JOINTS_PER_HAND, PART_CLASSES

#: Cells to a side of a prediction's part labels.
LABEL_SIZE = 128
#: Heatmap masses are kept this far from 0 and 1, where their logit has no end.
_LEAST_MASS = 1e-4

Output = DigitOutput | InterNetOutput


class Decoded(NamedTuple):
    """What any network of `digit.variants` says of B crops."""

    joints_2p5d: Tensor  # (B, 42, 3) float32: x, y in crop pixels, z in mm along `depth_axis` from the own wrist
    confidence: Tensor  # (B, 42) in [0, 1]: the heatmap's mass at the joint, not calibrated
    handedness: Tensor  # (B, 2) probability of right, left, not calibrated
    root_depth_mm: Tensor  # (B,) from the right wrist to the left one along `depth_axis`
    part_logits: Tensor | None  # (B, classes, size, size) as `digit.variants.Segmentation`; None without one
    places: Tensor  # (B, 42, K, 4) as in `digit.prediction.Prediction`


class PredictionTensors(NamedTuple):
    """`digit.prediction.Prediction` for B crops."""

    joints_2p5d: Tensor  # as in `Decoded`
    confidence: Tensor  # (B, 42) in [0, 1], see `Predictor`
    part_labels: Tensor  # (B, 128, 128) uint8
    handedness: Tensor  # (B, 2) in [0, 1], see `Predictor`
    root_depth_mm: Tensor  # as in `Decoded`
    places: Tensor  # as in `Decoded`


def decode(output: Output) -> Decoded:
    """The numbers in a network's output. A heatmap cell is 4 crop pixels, with no half-pixel shift, as in training."""
    soft = isinstance(output, DigitOutput)
    joints, confidence, places = _soft_joints(output) if soft else _highest_joints(output)
    return Decoded(
        joints_2p5d=joints,
        confidence=confidence,
        handedness=output.handedness_logits.float().sigmoid(),
        root_depth_mm=heatmap.mm_from_depth(heatmap.soft_argmax_1d(output.root_depth_logits)),
        part_logits=output.part_logits if soft else None,
        places=places,
    )


def _soft_joints(output: DigitOutput) -> tuple[Tensor, Tensor, Tensor]:
    """Soft-argmax (DIGIT eq. 9 and 10), confidence and places: `digit.heatmap.read`."""
    cells, depth, confidence, places = heatmap.read(output.heatmap_logits, output.depth_maps)
    to_px = CROP_SIZE / output.heatmap_logits.shape[3]
    joints = torch.cat((cells * to_px, heatmap.mm_from_depth(depth).unsqueeze(2)), dim=2)
    mass, x, y, depth = places.unbind(dim=3)
    # No sum of both terms, as sums become int8 (`digit.backends.quantize`).
    depth_mm = depth * (2 * DEPTH_RANGE_MM / heatmap.DEPTH_SCALE) - mass * DEPTH_RANGE_MM
    return joints, confidence, torch.stack((mass, x * to_px, y * to_px, depth_mm), dim=3)


def _highest_joints(output: InterNetOutput) -> tuple[Tensor, Tensor, Tensor]:
    """The highest cell of each volumetric heatmap, as Moon et al. read theirs; its height is the confidence.

    It is the one place where the joint may be.
    """
    _, _, _, rows, columns = output.heatmaps.shape
    height, cell = output.heatmaps.float().flatten(2).max(dim=2)
    x, y, depth = cell % columns, cell // columns % rows, cell // (columns * rows)
    xy = torch.stack((x, y), dim=2) * (CROP_SIZE / columns)
    z_mm = heatmap.mm_from_depth(depth.float())
    joints = torch.cat((xy, z_mm.unsqueeze(2)), dim=2)
    # 1 for each crop, asked: a constant would be exported with the batch size of its example.
    certain = (height < torch.inf).float().unsqueeze(2)
    places = torch.cat((certain, joints), dim=2).unsqueeze(2)
    return joints, (height / PEAK).clamp(0, 1), places


def read_output(
    output: Output, calibration: Calibration | None = None, told: Tensor | None = None
) -> PredictionTensors:
    """`decode` with labels in the place of logits and, with a calibration, with probabilities that hold.

    ``told`` (B, 42) are the weights of the landmark prior, of a network that takes one.
    """
    joints, confidence, handedness, root_depth_mm, part_logits, places = decode(output)
    if calibration is not None:
        confidence = joint_probability(confidence, hand_sizes(joints), calibration, told)
        handedness = presence_probability(output.handedness_logits, calibration)
    labels = part_labels(part_logits, joints)
    return PredictionTensors(joints, confidence, labels, handedness, root_depth_mm, places)


def hand_sizes(joints: Tensor) -> Tensor:
    """Longer side (B, 2) of the box around each hand's joints (B, 42, 3), over the crop's side; at least a pixel."""
    xy = joints[..., :2].unflatten(1, (2, JOINTS_PER_HAND))
    return (xy.amax(dim=2) - xy.amin(dim=2)).amax(dim=2).clamp(min=1) / CROP_SIZE


def joint_probability(mass: Tensor, sizes: Tensor, by: Calibration, told: Tensor | None = None) -> Tensor:
    """Calibrated confidence (B, 42) of heatmap masses (B, 42) in hands of ``sizes`` (B, 2), see `Calibration`.

    ``told`` (B, 42) are the weights of the landmark prior; None is none.
    """
    mass = mass.clamp(_LEAST_MASS, 1 - _LEAST_MASS).unflatten(1, (2, JOINTS_PER_HAND))
    sharpness = by.mass * (mass / (1 - mass)).log()
    # Differences, because int8 networks keep them in float32, while sums become int8 (`digit.backends.quantize`).
    against = -by.size * sizes.log().unsqueeze(2) - by.offset
    if told is not None:
        against = against - by.prior * told.unflatten(1, (2, JOINTS_PER_HAND))
    return (sharpness - against).sigmoid().flatten(1)


def presence_probability(logits: Tensor, by: Calibration) -> Tensor:
    """Calibrated handedness (B, 2) of a network's logits (B, 2)."""
    return (by.presence * logits.float() - (-by.presence_offset)).sigmoid()


def part_labels(logits: Tensor | None, joints: Tensor) -> Tensor:
    """Most likely part class of each cell (B, 128, 128) uint8.

    A segmentation of another size is brought to this one. Where it knows sides only, a hand is all palm. Without any,
    all is background, for as many crops as there are ``joints`` (B, 42, 3).
    """
    if logits is None:
        # Background for each crop: a constant would be exported with the batch size of its example.
        background = (joints[:, :1, :1] == torch.inf).to(torch.uint8) * BACKGROUND
        return background.expand(-1, LABEL_SIZE, LABEL_SIZE)
    if logits.shape[-1] != LABEL_SIZE:
        logits = F.interpolate(logits.float(), size=(LABEL_SIZE, LABEL_SIZE), mode="bilinear", align_corners=False)
    labels = logits.argmax(dim=1)
    if logits.shape[1] != PART_CLASSES:
        labels = (labels == 1) * FIRST_PART["right"] + (labels == 2) * FIRST_PART["left"]
    return labels.to(torch.uint8)


def takes_prior(network: nn.Module) -> bool:
    """Whether the network's forward takes a landmark prior behind the image."""
    return "prior" in inspect.signature(network.forward).parameters


def depth_axis(network: nn.Module) -> DepthAxis:
    """Along which axis a network's depths point."""
    return getattr(network, "depth_axis", "camera")


class Predictor(nn.Module):
    """A network with its input and output stages around it.

    Without a calibration, confidence is the heatmap's mass at the joint and handedness the network's own probability.
    """

    def __init__(self, network: nn.Module, calibration: Calibration | None = None):
        super().__init__()
        self.network = network
        self.calibration = calibration
        self.takes_prior = takes_prior(network)

    def forward(self, crop: Tensor, prior: Tensor) -> PredictionTensors:
        """Both hands in each crop.

        Args:
            crop: (B, 256, 256, 3) uint8 RGB.
            prior: (B, 42, 4) float32 as `digit.prediction.Prior`; zeros = none. Networks without one ignore it.
        """
        image = crop.permute(0, 3, 1, 2).float() / 255
        output = self.network(image, prior) if self.takes_prior else self.network(image)
        return read_output(output, self.calibration, prior[..., 3] if self.takes_prior else None)
