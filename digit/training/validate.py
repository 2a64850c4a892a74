"""Scores of a network on a validation set, with and without the landmark prior."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from digit import metrics
from digit.errors import UserError
from digit.geometry import axis_of, invert_affine, joints_from_2p5d, root_depths, wrists_along
from digit.interhand import Index, splits_of
from digit.predict import Decoded, decode, takes_prior
from digit.skeleton import JOINTS_PER_HAND, WRIST
from digit.training import seen
from digit.training.augment import Warp, bbox_of, crop_from_image
from digit.training.curves import sheet
from digit.training.dataset import CropDataset, read_index
from digit.training.loader import ready
from digit.training.losses import UNKNOWN_PART, Batch, parts_as
from digit.training.optimise import Precision, forward
from digit.training.seen import Seen

LIMIT = 250  # pictures of a validation while training
SHOWN = 4
BATCH = 25


class Answers(NamedTuple):
    """A network's answers for N crops, beside the truth."""

    joints: np.ndarray  # (N, 42, 3) in 2.5D
    relative_mm: np.ndarray  # (N,) left wrist z minus right wrist z
    handedness: np.ndarray  # (N, 2) probability of right, left
    true_joints: np.ndarray  # (N, 42, 3)
    true_relative_mm: np.ndarray  # (N,)
    true_hands: np.ndarray  # (N, 2) bool
    valid: np.ndarray  # (N, 42) bool
    both: np.ndarray  # (N,) bool: both wrists are known


def held_out(folder: Path, limit: int = LIMIT) -> Index:
    """Up to ``limit`` samples, evenly spread, of the folder's val split, or of the only one that it has.

    Raises:
        UserError: it cannot be read.
    """
    index = read_index([folder], "val" if "val" in splits_of(folder) else "train")
    return index.take(np.unique(np.linspace(0, len(index) - 1, min(limit, len(index))).astype(int)))


def tell_if_learnt(folder: Path, data: Sequence[Path]) -> None:
    """Say on stderr that the pictures of `held_out` are those of the training."""
    if folder.resolve() in (other.resolve() for other in data) and "val" not in splits_of(folder):
        print(f"{folder} is trained on and has no val split: its scores tell nothing of new pictures.", file=sys.stderr)


def seen_of(folder: Path) -> Seen:
    """What MediaPipe saw in the pictures of `held_out`. Raises UserError for a damaged file."""
    return seen.read([folder], "val" if "val" in splits_of(folder) else "train")


def validation_sets(dataset: CropDataset, net: nn.Module) -> dict[str, CropDataset]:
    """The set without a landmark prior and, for a network that takes one, with a drawn and with MediaPipe's own."""

    def unchanged(prior: bool | Literal["seen"]) -> CropDataset:
        how, looked = dataset.augmentation.still(), dataset.seen if prior == "seen" else None
        return CropDataset(dataset.index, augment=how, seed=1, prior=prior, seen=looked, part_size=dataset.part_size)

    sets = {"none": unchanged(False)}
    if takes_prior(net):
        sets["drawn"] = unchanged(True)
        sets |= {"mediapipe": unchanged("seen")} if len(dataset.seen) else {}
    return sets


@torch.inference_mode()
def validate(
    net: nn.Module,
    sets: dict[str, CropDataset],
    *,
    size: int,
    precision: Precision,
    device: torch.device,
) -> tuple[dict[str, dict[str, float]], np.ndarray]:
    """Scores on each named set, and a sheet (H, W, 3) uint8 RGB of a few of them.

    Returns:
        mpjpe_mm, mrrpe_mm: the paper's metrics on these crops, given the true depth of each root and of the right one.
        nme: median joint error over the longer side of the joints' box. z_mm: mean error of the depth relative to the
        wrist. part_miou: mean IoU of the classes that occur, background left out. handedness: share of crops with both
        flags right. root_depth_mm: mean error where both hands are. nan where a set has nothing to judge.

    Raises:
        UserError: a picture cannot be read.
    """
    net.eval()
    prior = takes_prior(net)
    scores: dict[str, dict[str, float]] = {}
    pictures: list[np.ndarray] = []
    for name, dataset in sets.items():
        batches: list[Answers] = []
        confusion: np.ndarray | None = None
        for batch in DataLoader(dataset, batch_size=BATCH):
            batch = ready(batch, device)
            decoded = decode(forward(net, batch, precision, prior, size))
            batches.append(_answers(decoded, batch))
            if decoded.part_logits is not None:
                counts = _part_counts(decoded.part_logits, batch["parts"])
                confusion = counts if confusion is None else confusion + counts
            if not pictures:
                pictures.append(_picture(decoded, batch))
        if dataset.broken:  # another picture stands in, but not in what its joints are measured against
            raise UserError(f"{dataset.broken[0]} cannot be read; a validation set has to be whole.")
        answers = Answers(*(np.concatenate(column) for column in zip(*batches, strict=True)))
        scores[name] = _scores(answers, dataset) | {"part_miou": np.nan if confusion is None else _miou(confusion)}
        scores[name] = {metric: round(float(v), 4) for metric, v in scores[name].items()}
    return scores, pictures[0]


def _answers(decoded: Decoded, batch: Batch) -> Answers:
    found = (decoded.joints_2p5d, decoded.root_depth_mm, decoded.handedness)
    truth = (batch["joints"], batch["root_depth_mm"], batch["hands"] > 0.5, batch["valid"], batch["root_valid"])
    return Answers(*(t.double().cpu().numpy() for t in found), *(t.cpu().numpy() for t in truth))


def _scores(found: Answers, dataset: CropDataset) -> dict[str, Any]:
    in_plane = metrics.joint_errors(found.joints[..., :2], found.true_joints[..., :2], found.valid)
    with_box = found.valid.sum(axis=1) > 5
    boxes = [np.ptp(j[v, :2], axis=0).max() for j, v in zip(found.true_joints, found.valid, strict=True) if v.sum() > 5]
    nme = in_plane[with_box] / np.reshape(boxes, (-1, 1))
    errors_mm, root_errors_mm = _errors_mm(found, dataset)
    return {
        "mpjpe_mm": _mean(errors_mm),
        "mrrpe_mm": _mean(root_errors_mm),
        "nme": np.nanmedian(nme) if np.isfinite(nme).any() else np.nan,
        "z_mm": _mean(np.abs(found.joints[..., 2] - found.true_joints[..., 2])[found.valid]),
        "handedness": _mean(((found.handedness > 0.5) == found.true_hands).all(axis=1)),
        "root_depth_mm": _mean(np.abs(found.relative_mm - found.true_relative_mm)[found.both]),
    }


def _errors_mm(found: Answers, dataset: CropDataset) -> tuple[np.ndarray, np.ndarray]:
    """Root-relative errors (N, 42) and errors (M,) of the left wrist seen from the right one, nan where not judged."""
    errors: list[np.ndarray] = []
    root_errors: list[float] = []
    right, left = WRIST, JOINTS_PER_HAND + WRIST
    for i, (joints, relative_mm) in enumerate(zip(found.joints, found.relative_mm, strict=True)):
        sample = dataset.index[i]
        image_from_crop = invert_affine(crop_from_image(bbox_of(sample, dataset.augmentation), Warp()))
        depths = sample.joints_mm[[right, left], 2]
        axis = axis_of(dataset.augmentation.depth_axis, image_from_crop, sample.K)
        pose = joints_from_2p5d(joints, image_from_crop, sample.K, depths, axis)
        errors.append(metrics.root_relative_errors_mm(pose, sample.joints_mm, found.valid[i]))
        if found.both[i]:
            along = wrists_along(joints, image_from_crop, sample.K, axis)
            depths = root_depths(depths[0], depths[1], relative_mm, np.ones(2), along)
            pose = joints_from_2p5d(joints, image_from_crop, sample.K, depths, axis)
            apart = (pose[left] - pose[right]) - (sample.joints_mm[left] - sample.joints_mm[right])
            root_errors.append(float(np.linalg.norm(apart)))
    return np.stack(errors), np.array(root_errors)


def _part_counts(logits: Tensor, parts: Tensor) -> np.ndarray:
    """(C, C) counts of cells, of the classes that the network knows: row = true, column = answered."""
    classes = logits.shape[1]
    truth, found = parts_as(logits, parts), logits.argmax(dim=1)
    known = truth != UNKNOWN_PART
    counts = torch.bincount(truth[known] * classes + found[known], minlength=classes**2)
    return counts.reshape(classes, classes).cpu().numpy()


def _miou(confusion: np.ndarray) -> float:
    return _mean(metrics.part_iou(confusion)[1:])


def _mean(values: np.ndarray) -> float:
    known = np.isfinite(values)
    return float(values[known].mean()) if known.any() else np.nan


def _picture(decoded: Decoded, batch: Batch) -> np.ndarray:
    images, valid, joints, parts = (batch[name][:SHOWN].cpu().numpy() for name in ("image", "valid", "joints", "parts"))
    found = decoded.joints_2p5d[:SHOWN].float().cpu().numpy()
    logits = decoded.part_logits
    labels = None if logits is None else logits[:SHOWN].argmax(dim=1).cpu().numpy()
    return sheet(images, valid, (found, joints), (labels, np.where(parts == UNKNOWN_PART, 0, parts)))
