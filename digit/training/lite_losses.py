"""The loss of digit-lite: eq. 6-8 with heatmap cross-entropy beside the soft-argmax loss, which alone starts slowly.

Each term is a mean over what is valid in the batch.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from digit.heatmap import depth_from_mm, depth_under, expectation_2d, soft_argmax_1d, softmax_2d
from digit.model import DigitOutput
from digit.prediction import CROP_SIZE
from digit.skeleton import BONES_42
from digit.training.likelihood import bin_nll, heatmap_nll

HEATMAP_SIZE = 64
#: Class of the cells of which nobody knows the part.
UNKNOWN_PART = 255
#: The part loss looks at each so many-th row and column, from a drawn one on. The logits are made at three quarters of
#: their size, so that neighbours say the same; all cells took a quarter of a training step's time on a CPU.
PART_STEP = 2


class LiteTerms(NamedTuple):
    """Each term, unweighted: a scalar tensor."""

    heatmap: Tensor  # cross-entropy to a Gaussian of one cell, mean over valid joints
    pose: Tensor  # L1 on the 64-unit scale of x, y and z
    bone: Tensor  # eq. 8, mean over valid bones
    parts: Tensor  # eq. 7, mean over known cells
    handedness: Tensor  # binary cross-entropy
    root_depth: Tensor  # L1 on the 64-bin scale, where both wrists are known
    root_bins: Tensor  # cross-entropy to a Gaussian of two bins, where both wrists are known


WEIGHTS = LiteTerms(*map(torch.tensor, (0.5, 0.4, 0.2, 2.0, 2.0, 0.3, 1.0)))


def lite_terms(output: DigitOutput, batch: dict[str, Tensor]) -> LiteTerms:
    """Loss terms of a batch; see `digit.training.losses` for what is left out."""
    valid = batch["valid"].float()
    count = valid.sum().clamp(min=1)
    target_xy = batch["joints"][..., :2] * (HEATMAP_SIZE / CROP_SIZE)
    target_z = depth_from_mm(batch["joints"][..., 2])
    logits = output.heatmap_logits
    heatmap = (heatmap_nll(logits, target_xy) * valid).sum() / count

    p = softmax_2d(logits)
    xy = expectation_2d(p)
    z = depth_under(p, output.depth_maps)
    error = (xy - target_xy).abs().sum(dim=-1) + (z - target_z).abs()
    pose = (error * valid).sum() / count

    predicted = torch.cat((xy, z.unsqueeze(-1)), dim=-1)
    target = torch.cat((target_xy, target_z.unsqueeze(-1)), dim=-1)
    child, parent = torch.tensor(BONES_42, device=xy.device).T
    bone_valid = valid[:, child] * valid[:, parent]
    difference = (predicted[:, child] - predicted[:, parent]) - (target[:, child] - target[:, parent])
    bone = (torch.sqrt((difference**2).sum(dim=-1) + 1e-6) * bone_valid).sum() / bone_valid.sum().clamp(min=1)

    known = (batch["hands"] >= 0).float()
    both = (batch["root_valid"] & (batch["hands"] > 0).all(dim=1)).float()
    bins = soft_argmax_1d(output.root_depth_logits)
    target_bins = depth_from_mm(batch["root_depth_mm"]).clamp(0, 63)
    pairs = both.sum().clamp(min=1)
    assert output.part_logits is not None
    row, column = torch.randint(PART_STEP, (2,)).tolist()
    parts = batch["parts"][:, row::PART_STEP, column::PART_STEP].long()
    shown = output.part_logits[:, :, row::PART_STEP, column::PART_STEP]
    cells = shown.permute(0, 2, 3, 1).flatten(0, 2).float()  # a row each: a softmax over columns is slow
    parts_sum = F.cross_entropy(cells, parts.flatten(), ignore_index=UNKNOWN_PART, reduction="sum")
    return LiteTerms(
        heatmap=heatmap,
        pose=pose,
        bone=bone,
        parts=parts_sum / (parts != UNKNOWN_PART).sum().clamp(min=1),
        handedness=F.binary_cross_entropy_with_logits(
            output.handedness_logits.float(), batch["hands"].clamp(min=0), weight=known
        ),
        root_depth=((bins - target_bins).abs() * both).sum() / pairs,
        root_bins=(bin_nll(output.root_depth_logits, target_bins) * both).sum() / pairs,
    )


def total(terms: LiteTerms) -> Tensor:
    return torch.stack([w * t for w, t in zip(WEIGHTS, terms, strict=True)]).sum()
