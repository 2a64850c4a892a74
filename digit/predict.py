"""From crop to prediction as one graph: what every backend runs, so that all of them mean the same by each number."""

import inspect
from typing import NamedTuple

import torch
from torch import Tensor, nn

from digit import heatmap
from digit.model import DigitOutput
from digit.prediction import CROP_SIZE


class PredictionTensors(NamedTuple):
    """`digit.prediction.Prediction` for B crops."""

    joints_2p5d: Tensor  # (B, 42, 3): x, y in crop pixels, z in mm relative to the own wrist
    confidence: Tensor  # (B, 42) in [0, 1] (`digit.heatmap.confidence`)
    part_labels: Tensor  # (B, 128, 128) uint8
    handedness: Tensor  # (B, 2) probability of right, left
    root_depth_mm: Tensor  # (B,) left wrist z minus right wrist z


def read_output(output: DigitOutput) -> PredictionTensors:
    """The numbers in a network's output. A heatmap cell is 4 crop pixels, with no half-pixel shift, as in training."""
    heatmaps = heatmap.softmax_2d(output.heatmap_logits)
    cells = heatmap.expectation_2d(heatmaps)
    z_mm = heatmap.mm_from_depth(heatmap.depth_under(heatmaps, output.depth_maps))
    return PredictionTensors(
        joints_2p5d=torch.cat((cells * (CROP_SIZE / heatmaps.shape[3]), z_mm.unsqueeze(2)), dim=2),
        confidence=heatmap.confidence(heatmaps, cells),
        part_labels=output.part_logits.argmax(dim=1).to(torch.uint8),
        handedness=output.handedness_logits.float().sigmoid(),
        root_depth_mm=heatmap.mm_from_depth(heatmap.soft_argmax_1d(output.root_depth_logits)),
    )


class Predictor(nn.Module):
    """A DIGIT network with its input and output stages around it."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network
        self.takes_prior = "prior" in inspect.signature(network.forward).parameters

    def forward(self, crop: Tensor, prior: Tensor) -> PredictionTensors:
        """Both hands in each crop.

        Args:
            crop: (B, 256, 256, 3) uint8 RGB.
            prior: (B, 42, 4) float32 as `digit.prediction.Prior`; zeros = none. Networks without one ignore it.
        """
        image = crop.permute(0, 3, 1, 2).float() / 255
        return read_output(self.network(image, prior) if self.takes_prior else self.network(image))
