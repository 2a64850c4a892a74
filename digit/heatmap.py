"""Reading heatmaps: soft-argmax, depth under a heatmap, confidence. All in float32, whatever comes in.

Written as products and sums, never as matrix products: those are what runtimes move to bfloat16 or TF32.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from digit.prediction import DEPTH_RANGE_MM

#: Scale of the depth maps and of the root-depth bins: 0..64 stands for -200..200 mm.
DEPTH_SCALE = 64
#: Cells around a joint that count as "at the joint" for its confidence; the next cell counts in part.
CONFIDENCE_RADIUS = 3
#: A heatmap's places are so many to a side.
PLACES = 8


def softmax_2d(logits: Tensor) -> Tensor:
    """Heatmap logits (B, J, H, W) to probabilities; each map sums to 1 (DIGIT, H_2D)."""
    return logits.float().flatten(2).softmax(dim=2).unflatten(2, logits.shape[2:])


def expectation_2d(heatmaps: Tensor) -> Tensor:
    """Mean cell (B, J, 2), x then y, of probabilities (B, J, H, W). DIGIT eq. 9."""
    x = (heatmaps.sum(dim=2) * _cells(heatmaps, heatmaps.shape[3])).sum(dim=2)
    y = (heatmaps.sum(dim=3) * _cells(heatmaps, heatmaps.shape[2])).sum(dim=2)
    return torch.stack((x, y), dim=2)


def soft_argmax_2d(logits: Tensor) -> Tensor:
    """Mean cell (B, J, 2), x then y in 0..W-1 and 0..H-1, of heatmap logits (B, J, H, W). DIGIT eq. 9, beta 1."""
    return expectation_2d(softmax_2d(logits))


def soft_argmax_1d(logits: Tensor) -> Tensor:
    """Mean bin (B,) in 0..K-1 of logits (B, K). DIGIT eq. 1 and 11."""
    return (logits.float().softmax(dim=1) * _cells(logits, logits.shape[1])).sum(dim=1)


def depth_under(heatmaps: Tensor, depth_maps: Tensor) -> Tensor:
    """Depth (B, J) on the 0..64 scale: depth maps (B, J, H, W) weighted by probabilities. DIGIT eq. 10."""
    return (heatmaps * depth_maps.float()).sum(dim=(2, 3))


def mm_from_depth(depth: Tensor) -> Tensor:
    """0..64 to -200..200 mm."""
    return (depth / DEPTH_SCALE * 2 - 1) * DEPTH_RANGE_MM


def depth_from_mm(depth_mm: Tensor) -> Tensor:
    """-200..200 mm to 0..64."""
    return (depth_mm / DEPTH_RANGE_MM + 1) / 2 * DEPTH_SCALE


class Reading(NamedTuple):
    """What B * J heatmaps say."""

    cells: Tensor  # (B, J, 2) mean cell, x then y: `expectation_2d`
    depth: Tensor  # (B, J) on the 0..64 scale: `depth_under`
    confidence: Tensor  # (B, J) in [0, 1]
    places: Tensor  # (B, J, PLACES ** 2, 4) of each place, row by row: its probability, and times it x, y and depth


def read(logits: Tensor, depth_maps: Tensor) -> Reading:
    """All that is read off heatmap logits and depth maps (B, J, H, W), H and W multiples of PLACES. DIGIT eq. 9 and 10.

    The confidence is how much of a heatmap's probability lies at its joint, 1 for one sharp peak, near 0 for several:
    the mass inside a square window around the mean cell, ``CONFIDENCE_RADIUS`` cells to each side with an edge that
    fades out over one cell.

    The places are squares of H / PLACES cells, each with its share of the sums, so that a heatmap with several peaks
    can be read again by whoever knows more (`digit.recall`).

    Joints come last inside, as convolutions on a CPU leave them: bringing both maps into planes first took 5 % of
    digit-lite's time in int8.
    """
    rows, columns = logits.shape[2:]
    heatmaps = _joints_last(logits).softmax(dim=1)
    in_rows = heatmaps.unflatten(1, (rows, PLACES, -1)).sum(dim=3)  # (B, H, PLACES, J)
    in_columns, depths = (
        each.unflatten(1, (PLACES, -1, columns)).sum(dim=2) for each in (heatmaps, heatmaps * _joints_last(depth_maps))
    )  # (B, PLACES, W, J): one side after the other, as OpenVINO takes ten times as long for both at once
    x_of, y_of = _cells(logits, columns), _cells(logits, rows)
    y = (in_rows * y_of.unsqueeze(1).unsqueeze(2)).unflatten(1, (PLACES, -1)).sum(dim=2)
    mass, x, depth = (
        each.unflatten(2, (PLACES, -1)).sum(dim=3) for each in (in_columns, in_columns * x_of.unsqueeze(1), depths)
    )
    places = torch.stack([each.flatten(1, 2) for each in (mass, x, y, depth)], dim=1).permute(0, 3, 2, 1)
    _, x, y, depth = places.sum(dim=2).unbind(dim=2)
    x_of, y_of = x_of.repeat(rows).unsqueeze(1), y_of.repeat_interleave(columns).unsqueeze(1)
    column = (CONFIDENCE_RADIUS + 1 - (x_of - x.unsqueeze(1)).abs()).clamp(0, 1)
    row = (CONFIDENCE_RADIUS + 1 - (y_of - y.unsqueeze(1)).abs()).clamp(0, 1)
    at_joint = (heatmaps * (column * row)).sum(dim=1).clamp(0, 1)
    return Reading(torch.stack((x, y), dim=2), depth, at_joint, places)


def _joints_last(maps: Tensor) -> Tensor:
    """(B, J, H, W) to (B, H * W, J)."""
    return maps.float().permute(0, 2, 3, 1).flatten(1, 2)


def _cells(like: Tensor, count: int) -> Tensor:
    return torch.arange(count, dtype=torch.float32, device=like.device)
