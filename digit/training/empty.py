"""Crops without any hand, so that a network learns to say so: faces, shirts, rooms and things."""

import cv2
import numpy as np

from digit.crops import PART_SIZE
from digit.prediction import CROP_SIZE
from digit.skeleton import BACKGROUND
from digit.synth.backgrounds import sample_background
from digit.training.augment import Augmentation, Crop

_JPEG_QUALITY = (40, 96)


def is_empty(rng: np.random.Generator, how: Augmentation) -> bool:
    """Whether the next sample has no hand. Draws nothing where no sample has none."""
    return how.empty_share > 0 and bool(rng.random() < how.empty_share)


def empty_crop(rng: np.random.Generator, part_size: int = PART_SIZE) -> Crop:
    """A background of `digit.synth` as a crop: every cell is background, both hands are absent."""
    picture = sample_background(rng, CROP_SIZE)
    ok, jpeg = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(*_JPEG_QUALITY))])
    assert ok
    return Crop(
        image=np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR)),
        parts=np.full((part_size, part_size), BACKGROUND, np.uint8),
        parts_valid=True,
        joints_2p5d=np.zeros((42, 3), np.float32),
        joint_valid=np.zeros(42, bool),
        hands=np.zeros(2, bool),
        hands_valid=True,
        root_depth_mm=0.0,
        root_valid=False,
        crop_from_image=np.eye(2, 3),
        flipped=False,
    )
