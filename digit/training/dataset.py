"""Training samples from folders that `digit.synth` wrote: InterHand2.6M layout with a compact index beside it."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch.utils.data import Dataset

from digit.errors import UserError
from digit.training.augment import Sample, Warp, cut, draw_warp
from digit.training.prior import draw_prior


@dataclass(frozen=True, slots=True, eq=False)
class Index:
    """Labels of every picture of some folders, in memory."""

    images: np.ndarray  # (N,) str paths
    masks: np.ndarray  # (N,) str paths
    joints_mm: np.ndarray  # (N, 42, 3) float32 camera space
    joints_px: np.ndarray  # (N, 42, 2) float32 picture pixels
    joint_valid: np.ndarray  # (N, 42) bool

    def __len__(self) -> int:
        return len(self.images)


def read_index(folders: list[Path], split: str = "train") -> Index:
    """Read the ``index*.npz`` files of the folders.

    Raises:
        UserError: a folder holds none.
    """
    parts: list[Index] = []
    for folder in folders:
        files = sorted((folder / "annotations" / split).glob("index*.npz"))
        if not files:
            raise UserError(f"{folder} holds no annotations/{split}/index*.npz; make it with python -m digit.synth.")
        for file in files:
            data = np.load(file)
            names = data["files"]
            parts.append(
                Index(
                    images=np.array([str(folder / "images" / split / n) for n in names]),
                    masks=np.array([str(folder / "masks" / split / Path(str(n)).with_suffix(".png")) for n in names]),
                    joints_mm=data["joints_mm"],
                    joints_px=data["joints_px"],
                    joint_valid=data["joint_valid"].astype(bool),
                )
            )
    return Index(*(np.concatenate([getattr(p, f) for p in parts]) for f in Index.__slots__))


class CropDataset(Dataset[dict[str, torch.Tensor]]):
    """Crops with labels, augmented unless told otherwise.

    An index beyond the length means a later epoch: the same picture under a new draw of augmentation and prior.
    """

    def __init__(self, index: Index, *, augment: bool, seed: int = 0, prior: bool = True):
        self.index = index
        self.augment = augment
        self.seed = seed
        self.prior = prior

    def __len__(self) -> int:
        return len(self.index)

    def sample(self, i: int, warp: Warp) -> Sample:
        index = self.index
        picture = cv2.imread(str(index.images[i]), cv2.IMREAD_COLOR_RGB)
        mask = cv2.imread(str(index.masks[i]), cv2.IMREAD_GRAYSCALE)
        if picture is None or mask is None:
            raise UserError(f"Cannot read {index.images[i]} or its mask; generate that folder again.")
        valid = index.joint_valid[i]
        px = index.joints_px[i]
        seen = px[valid] if valid.any() else px
        low, high = seen.min(axis=0), seen.max(axis=0)
        margin = 0.06 * float((high - low).max()) + 2.0
        bbox = np.r_[low - margin, high - low + 2 * margin]
        return cut(picture, mask, px, index.joints_mm[i], valid, bbox, warp)

    def __getitem__(self, i: int) -> dict[str, torch.Tensor]:
        rng = np.random.default_rng([self.seed, i])
        i %= len(self.index)
        sample = self.sample(i, draw_warp(rng) if self.augment else Warp())
        prior = draw_prior(sample, rng) if self.prior else np.zeros((42, 4), np.float32)
        return {
            "image": torch.from_numpy(sample.image),
            "parts": torch.from_numpy(sample.parts),
            "joints": torch.from_numpy(sample.joints_2p5d),
            "valid": torch.from_numpy(sample.joint_valid),
            "hands": torch.from_numpy(sample.hands.astype(np.float32)),
            "root_depth_mm": torch.tensor(sample.root_depth_mm, dtype=torch.float32),
            "prior": torch.from_numpy(prior),
        }
