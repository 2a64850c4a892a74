"""Cross-entropy of heatmaps and of root-depth bins with the truth, beside the soft-argmax losses.

A soft-argmax learns slowly while its map is flat, and hardly at all once the map has settled on a wrong cell: the
gradient is as small as the probability of the right one. The cross-entropy has neither weakness. Not in the paper,
which has days of training; here it is part of digit-lite's loss and of runs that are short.
"""

import torch
from torch import Tensor

#: Standard deviations of the target: cells of a heatmap, bins of the root depth (6.25 mm each).
SIGMA_CELLS, SIGMA_BINS = 1.0, 2.0


def heatmap_nll(logits: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy (B, J) of heatmap logits (B, J, H, W) with a Gaussian around each target (B, J, 2), x and y."""
    log_p = logits.float().flatten(2).log_softmax(dim=2)
    bell = gaussian(target, logits.shape[2], logits.shape[3]).flatten(2)
    return -(bell * log_p).sum(dim=2)


def bin_nll(logits: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy (B,) of bin logits (B, K) with a Gaussian around each target (B,), in bins."""
    bell = _bell(target, logits.shape[1], SIGMA_BINS)
    return -(bell / bell.sum(dim=1, keepdim=True) * logits.float().log_softmax(dim=1)).sum(dim=1)


def gaussian(target: Tensor, height: int, width: int) -> Tensor:
    """(B, J, 2) heatmap cells to Gaussians (B, J, height, width) that sum to 1, or to 0 far outside."""
    column, row = _bell(target[..., 0], width, SIGMA_CELLS), _bell(target[..., 1], height, SIGMA_CELLS)
    heat = row.unsqueeze(3) * column.unsqueeze(2)
    return heat / heat.sum(dim=(2, 3), keepdim=True).clamp(min=1e-9)


def _bell(centre: Tensor, size: int, sigma: float) -> Tensor:
    cells = torch.arange(size, device=centre.device, dtype=torch.float32)
    return torch.exp(-((centre.unsqueeze(-1) - cells) ** 2) / (2 * sigma**2))
