"""Scores of a network on a synthetic validation set, with and without the landmark prior."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from digit.heatmap import depth_under, expectation_2d, mm_from_depth, soft_argmax_1d, softmax_2d
from digit.model import DigitOutput
from digit.prediction import CROP_SIZE
from digit.training.dataset import CropDataset, read_index


@torch.inference_mode()
def validate(net: nn.Module, folder: Path, limit: int = 250, device: str = "cpu") -> dict[str, dict[str, float]]:
    """Scores by prior (``none``, ``drawn``).

    Returns:
        nme: median joint error over the longer side of the joints' box. z_mm: mean error of the depth relative to the
        wrist. part_miou: mean IoU of the part classes that occur. handedness: share of crops with both flags right.
        root_depth_mm: mean error where both hands are.
    """
    net.eval()
    scores: dict[str, dict[str, float]] = {}
    for name in ("none", "drawn"):
        dataset = CropDataset(read_index([folder]), augment=False, seed=1, prior=name == "drawn")
        loader = DataLoader(torch.utils.data.Subset(dataset, range(min(limit, len(dataset)))), batch_size=25)
        scores[name] = score(net, loader, device)
    return scores


def score(net: nn.Module, loader: DataLoader[dict[str, Tensor]], device: str) -> dict[str, float]:
    nme: list[np.ndarray] = []
    z_error: list[np.ndarray] = []
    hands_right: list[np.ndarray] = []
    root_error: list[np.ndarray] = []
    hits = np.zeros(33)
    union = np.zeros(33)
    for batch in loader:
        image = batch["image"].to(device).permute(0, 3, 1, 2).float() / 255
        with torch.autocast(device, dtype=torch.bfloat16):
            output: DigitOutput = net(image, batch["prior"].to(device))
        joints, root = decode(output)
        truth, valid = batch["joints"].numpy(), batch["valid"].numpy()
        error = np.linalg.norm(joints[..., :2] - truth[..., :2], axis=-1)
        for e, j, v in zip(error, truth, valid, strict=True):
            if v.sum() > 5:
                nme.append(e[v] / np.ptp(j[v, :2], axis=0).max())
        z_error.append(np.abs(joints[..., 2] - truth[..., 2])[valid])
        hands = batch["hands"].numpy() > 0.5
        hands_right.append(((output.handedness_logits.float().cpu().numpy() > 0) == hands).all(axis=1))
        both = hands.all(axis=1)
        root_error.append(np.abs(root - batch["root_depth_mm"].numpy())[both])
        found = output.part_logits.argmax(dim=1).cpu().numpy()
        parts = batch["parts"].numpy()
        hits += np.bincount(parts[parts == found], minlength=33)
        union += np.bincount(parts.ravel(), minlength=33) + np.bincount(found.ravel(), minlength=33)
    iou = hits / np.maximum(union - hits, 1)
    return {
        "nme": _round(np.median(np.concatenate(nme))),
        "z_mm": _round(np.mean(np.concatenate(z_error))),
        "part_miou": _round(iou[union > 0].mean()),
        "handedness": _round(np.concatenate(hands_right).mean()),
        "root_depth_mm": _round(np.mean(np.concatenate(root_error))),
    }


def decode(output: DigitOutput) -> tuple[np.ndarray, np.ndarray]:
    """(B, 42, 3) joints in 2.5D (crop pixels, mm) and (B,) relative root depth in mm."""
    heatmaps = softmax_2d(output.heatmap_logits)
    xy = expectation_2d(heatmaps) * (CROP_SIZE / heatmaps.shape[-1])
    z_mm = mm_from_depth(depth_under(heatmaps, output.depth_maps))
    root_mm = mm_from_depth(soft_argmax_1d(output.root_depth_logits))
    return torch.cat((xy, z_mm.unsqueeze(-1)), dim=-1).cpu().numpy(), root_mm.cpu().numpy()


def _round(value: Any) -> float:
    return round(float(value), 4)
