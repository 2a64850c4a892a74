"""A network that knows the truth of a set, so that whatever a metric finds is what a test put in."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from digit.evaluation.protocol import crop_of, load_sample
from digit.geometry import apply_affine
from digit.heatmap import depth_from_mm
from digit.interhand import Index
from digit.model import DigitOutput
from digit.skeleton import PART_CLASSES, ROOTS

CELLS = 64


class Oracle(nn.Module):
    """Answers an index's crops in turn, from the first again after the last.

    Args:
        shift_mm: added to the depth of every joint but the wrists.
        far_mm: added to the relative root depth.
        parts: whether it has a segmentation.
        order: rows in the order that they are asked for.
    """

    def __init__(self, index: Index, shift_mm: float = 0.0, far_mm: float = 0.0, parts: bool = True, order=None):
        super().__init__()
        rows: Sequence[int] = range(len(index)) if order is None else order
        self.answers = [answer(index, row, shift_mm, far_mm, parts) for row in rows]
        self.asked = 0

    def forward(self, image: Tensor) -> DigitOutput:
        rows = [(self.asked + k) % len(self.answers) for k in range(len(image))]
        self.asked += len(image)
        columns = zip(*(self.answers[row] for row in rows), strict=True)
        return DigitOutput(*(None if c[0] is None else torch.stack(c) for c in columns))


def answer(index: Index, row: int, shift_mm: float, far_mm: float, parts: bool) -> DigitOutput:
    """The logits (without a batch) that decode to sample ``row``'s truth."""
    sample = index[row]
    xy = apply_affine(crop_of(sample), sample.joints_px) * (CELLS / 256)
    z_mm = sample.joints_mm[:, 2] - sample.joints_mm[list(ROOTS), 2]
    z_mm = np.where(np.arange(42) == np.array(ROOTS), z_mm, z_mm + shift_mm)
    heat = np.stack([np.outer(between(y), between(x)) for x, y in np.clip(xy, 0, CELLS - 1.001)])
    depth = depth_from_mm(torch.from_numpy(z_mm)).float()
    relative = sample.joints_mm[41, 2] - sample.joints_mm[20, 2] + far_mm
    relative = float(depth_from_mm(torch.tensor(relative if sample.interacting else 0.0)))
    loaded = load_sample(sample, row)
    labels = np.zeros((128, 128), np.uint8) if loaded.parts is None else loaded.parts
    return DigitOutput(
        heatmap_logits=logits(heat),
        depth_maps=depth[:, None, None].expand(42, CELLS, CELLS),
        part_logits=20.0 * torch.eye(PART_CLASSES)[labels.astype(int)].permute(2, 0, 1) if parts else None,
        root_depth_logits=logits(between(relative)),
        handedness_logits=torch.from_numpy(np.where(sample.hands, 9.0, -9.0)).float(),
    )


def between(place: float) -> np.ndarray:
    """(64,) probabilities of the two neighbouring cells whose mean is ``place``."""
    cell = np.zeros(CELLS)
    low = int(np.floor(place))
    cell[low], cell[low + 1] = low + 1 - place, place - low
    return cell


def logits(probability: np.ndarray) -> Tensor:
    return torch.log(torch.from_numpy(probability).float() + 1e-12)
