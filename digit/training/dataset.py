"""Training samples: crops with labels from folders in InterHand2.6M's layout, the dataset's own or `digit.synth`'s."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch.utils.data import Dataset
from tqdm import tqdm

from digit import interhand
from digit.crops import PART_SIZE
from digit.errors import UserError
from digit.interhand import Index, Sample, Subset, read_parts, read_picture
from digit.training.augment import WEBCAM, Augmentation, Crop, Warp, bbox_of, cut, draw_warp, restyle
from digit.training.empty import empty_crop, is_empty
from digit.training.prior import draw_prior, seen_prior
from digit.training.seen import Seen

#: So many broken pictures in a row mean that the folder is wrong.
GIVE_UP = 100


def read_index(
    folders: Sequence[Path], split: str = "train", subset: Subset = "all", parts: Path | None = None
) -> Index:
    """The samples of all folders, see `digit.interhand.read`. Raises UserError when one cannot be read."""
    if not folders:
        raise UserError("No data was given; name one or more folders with --data.")
    return interhand.join([interhand.read(folder, split, subset, parts) for folder in folders])


class CropDataset(Dataset[dict[str, torch.Tensor]]):
    """Crops with labels.

    An index beyond the length means a later epoch: the same picture under a new draw of augmentation and prior. A
    picture that cannot be read is named on stderr once, counted in `broken`, and its successor taken instead.

    Each sample is a dict of
        image (256, 256, 3) uint8 RGB, parts (128, 128) uint8 classes, joints (42, 3) float32 in 2.5D, valid (42,) bool,
        hands (2,) float32 right and left, root_depth_mm () float32, prior (42, 4) float32,
    and of what may be learnt from it:
        parts_valid () bool, hands_valid () bool, root_valid () bool.
    """

    def __init__(
        self,
        index: Index,
        *,
        augment: Augmentation | bool,
        seed: int = 0,
        prior: bool | Literal["seen"] = True,
        seen: Seen | None = None,
        part_size: int = PART_SIZE,
    ):
        """``augment``: True is `WEBCAM`, False the same crops unchanged; `PAPER` is the paper's.

        ``prior``: True draws one, with the help of what MediaPipe saw; False leaves it empty; "seen" is what it saw.
        """
        self.index = index
        self.augmentation = augment if isinstance(augment, Augmentation) else WEBCAM if augment else WEBCAM.still()
        self.seed = seed
        self.prior, self.seen = prior, seen or Seen({})
        self.part_size = part_size
        # Shared, so that every worker process knows what any of them found broken.
        self._broken = torch.zeros(len(index), dtype=torch.bool).share_memory_()

    def __len__(self) -> int:
        return len(self.index)

    @property
    def broken(self) -> list[Path]:
        """The pictures that could not be read so far, by any worker."""
        return [self.index[int(i)].image_path for i in self._broken.nonzero()]

    def crop(self, i: int, warp: Warp) -> Crop:
        """Sample ``i`` under a warp. Raises UserError when its files cannot be read."""
        sample = self.index[i]
        picture = read_picture(sample.image_path)
        how = self.augmentation
        parts = _parts(sample, picture)
        return cut(sample, picture, parts, bbox_of(sample, how, warp.focus), warp, self.part_size, how.depth_axis)

    def __getitem__(self, i: int) -> dict[str, torch.Tensor]:
        rng = draws(self.seed, i)
        if is_empty(rng, self.augmentation):
            crop = restyle(empty_crop(rng, self.part_size), rng, self.augmentation)
            return tensors(crop, np.zeros((42, 4), np.float32))
        warp = draw_warp(rng, self.augmentation)
        i, crop = self._whole_crop(i % len(self.index), warp)
        prior = self._prior(i, crop, rng)
        return tensors(restyle(crop, rng, self.augmentation), prior)

    def _prior(self, i: int, crop: Crop, rng: np.random.Generator) -> np.ndarray:
        seen = self.seen(self.index[i].image_path) if self.prior else None
        if self.prior is True:
            return draw_prior(crop, rng, seen)
        return np.zeros((42, 4), np.float32) if seen is None else seen_prior(crop, seen)

    def _whole_crop(self, first: int, warp: Warp) -> tuple[int, Crop]:
        """Sample ``first``, or the next that can be read, and which it is."""
        count = len(self.index)
        for i in (k % count for k in range(first, first + min(count, GIVE_UP))):
            if self._broken[i]:
                continue
            try:
                return i, self.crop(i, warp)
            except UserError as error:
                self._broken[i] = True
                tqdm.write(f"Skipped sample {i}: {error}", file=sys.stderr)
        raise UserError(f"No picture from {self.index[first].image_path} on can be read; check the data folder.")


def draws(seed: int, i: int) -> np.random.Generator:
    """What is drawn for sample ``i`` beside its picture, whose own draws [seed, i, ...] are (`digit.synth`).

    Were they the same, what a picture shows would tell where its crop lies.
    """
    return np.random.default_rng([seed, i, 0, 1])


def tensors(crop: Crop, prior: np.ndarray) -> dict[str, torch.Tensor]:
    """A crop and its landmark prior (42, 4) as a sample of `CropDataset`."""
    return {
        "image": torch.from_numpy(crop.image),
        "parts": torch.from_numpy(crop.parts),
        "parts_valid": torch.tensor(crop.parts_valid),
        "joints": torch.from_numpy(crop.joints_2p5d),
        "valid": torch.from_numpy(crop.joint_valid),
        "hands": torch.from_numpy(crop.hands.astype(np.float32)),
        "hands_valid": torch.tensor(crop.hands_valid),
        "root_depth_mm": torch.tensor(crop.root_depth_mm, dtype=torch.float32),
        "root_valid": torch.tensor(crop.root_valid),
        "prior": torch.from_numpy(prior),
    }


def _parts(sample: Sample, picture: np.ndarray) -> np.ndarray | None:
    """The mask, or None where the set has none of this picture (InterHand2.6M's meshes do not cover every one)."""
    if sample.parts_path is None or not sample.parts_path.is_file():
        return None
    return read_parts(sample.parts_path, picture.shape[:2])
