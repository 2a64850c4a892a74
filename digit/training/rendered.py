"""Training samples that `digit.synth` renders in the worker processes, so that no set on disk is needed."""

from pathlib import Path

import cv2
import numpy as np
from torch.utils.data import Dataset

from digit.crops import PART_SIZE
from digit.geometry import Array
from digit.interhand import Sample
from digit.interhand_files import BBOX_OVER_JOINTS
from digit.synth.generate import Picture, picture
from digit.training.augment import Augmentation, bbox_of, cut, draw_warp, restyle
from digit.training.dataset import draws, tensors
from digit.training.empty import empty_crop, is_empty
from digit.training.losses import Batch
from digit.training.prior import draw_prior

#: More pictures than any set has. Four times as many is where the numbers of a seed begin anew.
ENDLESS = 2**30


class RenderedDataset(Dataset[Batch]):
    """As `digit.training.dataset.CropDataset`; its pictures come from behind the end of the set that ``seed`` makes.

    So no set on disk has them, and one of the same seed may validate.
    """

    def __init__(self, *, augment: Augmentation, seed: int = 0, prior: bool = True, part_size: int = PART_SIZE) -> None:
        self.augmentation, self.seed, self.prior, self.part_size = augment, seed, prior, part_size

    def __len__(self) -> int:
        return ENDLESS

    def __getitem__(self, i: int) -> Batch:
        rng = draws(self.seed, i)
        if is_empty(rng, self.augmentation):
            crop = restyle(empty_crop(rng, self.part_size), rng, self.augmentation)
            return tensors(crop, np.zeros((42, 4), np.float32))
        warp = draw_warp(rng, self.augmentation)
        sample, image, parts = self._picture(i + ENDLESS)
        how = self.augmentation
        crop = cut(sample, image, parts, bbox_of(sample, how, warp.focus), warp, self.part_size, how.depth_axis)
        prior = draw_prior(crop, rng) if self.prior else np.zeros((42, 4), np.float32)
        return tensors(restyle(crop, rng, how), prior)

    def _picture(self, i: int) -> tuple[Sample, np.ndarray, np.ndarray]:
        """Picture ``i``; where its hands lie outside, one from further behind in its place."""
        made = picture(self.seed, i)
        if made.joint_valid.sum() < 2:
            return self._picture(i + ENDLESS)
        return labels(made, i), compressed(made), made.parts


def labels(made: Picture, i: int) -> Sample:
    """What a set on disk would say of the picture (`digit.interhand`)."""
    hands = made.hands.astype(bool)
    return Sample(
        annotation_id=i,
        image_path=Path(),
        parts_path=None,
        K=made.K,
        joints_mm=made.joints_mm.astype(np.float64),
        joints_px=made.joints_px.astype(np.float64),
        joint_valid=made.joint_valid.astype(bool),
        root_known=hands,
        bbox=_bbox(made),
        hands=hands,
        hands_valid=True,
        rootnet_mm=np.full(2, np.nan),
    )


def compressed(made: Picture) -> np.ndarray:
    """The picture's pixels as its JPEG file would hold them."""
    ok, jpeg = cv2.imencode(".jpg", made.image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, made.quality])
    assert ok
    return np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR_RGB))


def _bbox(made: Picture) -> Array:
    seen = made.joints_px[made.joint_valid > 0].astype(np.float64)
    low, high = seen.min(axis=0), seen.max(axis=0)
    grown = (high - low) * BBOX_OVER_JOINTS
    return np.concatenate([(low + high - grown) / 2, grown])
