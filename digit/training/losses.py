"""What a variant learns from: the losses of DIGIT (eq. 6-8) and of InterNet; digit-lite's are in `lite_losses`.

Batches are as `digit.training.dataset` makes them. What a sample does not know is left out: joints that are not
``valid``, hands whose flag in ``hands`` is negative, cells of ``parts`` that are `UNKNOWN_PART`.

Every term is a mean over all of its elements, in which unknown ones count zero. So the loss of a batch is the mean of
the losses of its equal parts, in accumulation as on several GPUs. Eq. 7 and 8 write sums over cells and bones, which
eq. 6 balances with lambda_s = 10 and lambda_b = 1. That can only be meant of means: a sum over 128 x 128 cells would
weigh ten thousand times what an L1 mean over joints does.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from digit.heatmap import depth_from_mm, depth_under, expectation_2d, soft_argmax_1d, softmax_2d
from digit.internet import PEAK, InterNetOutput
from digit.model import DigitOutput
from digit.predict import Output
from digit.prediction import CROP_SIZE
from digit.skeleton import BONES_42, PART_CLASSES, PARTS_PER_HAND, ROOTS
from digit.training.likelihood import bin_nll, heatmap_nll
from digit.training.lite_losses import UNKNOWN_PART, lite_terms
from digit.training.lite_losses import total as lite_total
from digit.variants import Stage, Variant

Batch = dict[str, Tensor]

#: Standard deviation of InterNet's target heatmaps, in cells (Moon et al.).
SIGMA_3D = 2.5


class Loss(NamedTuple):
    """The loss of a batch."""

    total: Tensor  # scalar: the weighted sum of the terms
    terms: dict[str, Tensor]  # each term, unweighted: a scalar


Objective = Callable[[Any, Batch], Loss]


def objective(variant: Variant, stage: Stage | None = None, likelihood: bool = False) -> Objective:
    """From a network's output and its batch to the loss of a stage of the variant, by default its first.

    ``likelihood`` adds the cross-entropies of `digit.training.likelihood`, for short runs. digit-lite has them anyway.
    """
    if variant.graph == "digit-lite":
        return lite_objective
    names = (stage or variant.stages[0]).losses
    if likelihood:
        names += tuple(_BESIDE[name] for name in names if name in _BESIDE)

    def loss(output: Output, batch: Batch) -> Loss:
        terms = {name: TERMS[name](output, batch) for name in names}
        return Loss(torch.stack([WEIGHTS[name] * term for name, term in terms.items()]).sum(), terms)

    return loss


def lite_objective(output: DigitOutput, batch: Batch) -> Loss:
    terms = lite_terms(output, batch)
    return Loss(lite_total(terms), terms._asdict())


def handedness(output: Output, batch: Batch) -> Tensor:
    """L_h: binary cross-entropy of each hand's presence."""
    known = (batch["hands"] >= 0).float()
    return F.binary_cross_entropy_with_logits(
        output.handedness_logits.float(), batch["hands"].clamp(min=0), weight=known
    )


def root_depth(output: Output, batch: Batch) -> Tensor:
    """L_z: L1 in bins of the left wrist's depth relative to the right one's, where both are known."""
    target, known = root_target(output, batch)
    return ((soft_argmax_1d(output.root_depth_logits) - target).abs() * known).mean()


def root_likelihood(output: Output, batch: Batch) -> Tensor:
    """Beside L_z: cross-entropy of the bins."""
    target, known = root_target(output, batch)
    return (bin_nll(output.root_depth_logits, target) * known).mean()


def pose(output: DigitOutput, batch: Batch) -> Tensor:
    """L_2.5D: L1 of x and y in heatmap cells and of z on the 0..64 scale."""
    error = (predicted_2p5d(output) - target_2p5d(output, batch)).abs()
    return (error * batch["valid"].unsqueeze(2)).mean()


def heatmap_likelihood(output: DigitOutput, batch: Batch) -> Tensor:
    """Beside L_2.5D: cross-entropy of the heatmaps."""
    target = target_2p5d(output, batch)[..., :2]
    return (heatmap_nll(output.heatmap_logits, target) * batch["valid"]).mean()


def bone(output: DigitOutput, batch: Batch) -> Tensor:
    """L_b, eq. 8: length of the difference of each bone's vector in 2.5D from the true one."""
    child, parent = torch.tensor(BONES_42, device=batch["joints"].device).T
    predicted, target = predicted_2p5d(output), target_2p5d(output, batch)
    difference = (predicted[:, child] - predicted[:, parent]) - (target[:, child] - target[:, parent])
    known = batch["valid"][:, child] & batch["valid"][:, parent]
    return (torch.linalg.vector_norm(difference, dim=2) * known).mean()


def segmentation(output: DigitOutput, batch: Batch) -> Tensor:
    """L_s, eq. 7: cross-entropy of the part classes."""
    assert output.part_logits is not None
    logits = output.part_logits.float()
    truth = parts_as(logits, batch["parts"])
    return F.cross_entropy(logits, truth, ignore_index=UNKNOWN_PART, reduction="sum") / truth.numel()


def heatmap_3d(output: InterNetOutput, batch: Batch) -> Tensor:
    """L_pose of Moon et al.: squared difference from a Gaussian around each joint that lies in the volume."""
    shape = output.heatmaps.shape[2:]
    z = depth_from_mm(batch["joints"][..., 2])
    x, y = (batch["joints"][..., :2] * (shape[2] / CROP_SIZE)).unbind(dim=2)
    depth, row, column = (_bell(centre, size) for centre, size in zip((z, y, x), shape, strict=True))
    target = PEAK * depth[:, :, :, None, None] * row[:, :, None, :, None] * column[:, :, None, None, :]
    known = batch["valid"] & (z >= 0) & (z < shape[0])
    return ((output.heatmaps.float() - target).square().mean(dim=(2, 3, 4)) * known).mean()


def root_target(output: Output, batch: Batch) -> tuple[Tensor, Tensor]:
    """(B,) the true bin of the relative root depth, and 1 where it is known, else 0."""
    wrists = batch["valid"][:, sorted(set(ROOTS))].all(dim=1)
    known = (wrists & (batch["hands"] > 0).all(dim=1)).float()
    return depth_from_mm(batch["root_depth_mm"]).clamp(0, output.root_depth_logits.shape[1] - 1), known


def predicted_2p5d(output: DigitOutput) -> Tensor:
    """(B, 42, 3): x and y in heatmap cells, z on the 0..64 scale."""
    heatmaps = softmax_2d(output.heatmap_logits)
    z = depth_under(heatmaps, output.depth_maps)
    return torch.cat((expectation_2d(heatmaps), z.unsqueeze(2)), dim=2)


def target_2p5d(output: DigitOutput, batch: Batch) -> Tensor:
    """The batch's joints in the units of `predicted_2p5d`."""
    xy = batch["joints"][..., :2] * (output.heatmap_logits.shape[3] / CROP_SIZE)
    return torch.cat((xy, depth_from_mm(batch["joints"][..., 2:])), dim=2)


def parts_as(logits: Tensor, parts: Tensor) -> Tensor:
    """Part classes (B, h, w) as the truth for logits (B, C, H, W): nearest cell, and sides for a network that knows
    only those. (B, H, W) int64.
    """
    if parts.shape[1:] != logits.shape[2:]:
        size = (logits.shape[2], logits.shape[3])
        parts = F.interpolate(parts.unsqueeze(1).float(), size=size, mode="nearest").squeeze(1)
    parts = parts.long()
    if logits.shape[1] == PART_CLASSES:
        return parts
    sides = (parts + PARTS_PER_HAND - 1) // PARTS_PER_HAND
    return torch.where(parts == UNKNOWN_PART, parts, sides)


def _bell(centre: Tensor, size: int) -> Tensor:
    """(B, J) to (B, J, size): a Gaussian of height 1."""
    cells = torch.arange(size, device=centre.device, dtype=torch.float32)
    return torch.exp(-((centre.unsqueeze(2) - cells) ** 2) / (2 * SIGMA_3D**2))


TERMS: dict[str, Callable[[Any, Batch], Tensor]] = {
    term.__name__: term
    for term in (
        handedness, root_depth, pose, bone, segmentation, heatmap_3d, heatmap_likelihood, root_likelihood,
    )
}  # fmt: skip
#: What `objective` can add to a term.
_BESIDE = {"pose": "heatmap_likelihood", "root_depth": "root_likelihood"}
#: Eq. 6: lambda_s = 10, lambda_b = 1. Moon et al. weigh their terms alike.
WEIGHTS = dict.fromkeys(TERMS, 1.0) | {"segmentation": 10.0}
