"""Crops without any hand, so that a network learns to say so: faces, shirts, rooms and things."""

import functools

import cv2
import numpy as np

from digit.crops import PART_SIZE
from digit.errors import UserError
from digit.prediction import CROP_SIZE
from digit.skeleton import BACKGROUND
from digit.synth.backgrounds import sample_background
from digit.synth.generate import person_without_hands
from digit.synth.render import shared_renderer
from digit.training.augment import Augmentation, Crop

_JPEG_QUALITY = (40, 96)
#: Share of crops that show a drawn person, where OpenGL is there to draw one.
_PERSON_SHARE = 0.5


def is_empty(rng: np.random.Generator, how: Augmentation) -> bool:
    """Whether the next sample has no hand. Draws nothing where no sample has none."""
    return how.empty_share > 0 and bool(rng.random() < how.empty_share)


def empty_crop(rng: np.random.Generator, part_size: int = PART_SIZE) -> Crop:
    """A background or a person of `digit.synth` as a crop: every cell is background, both hands are absent."""
    person = rng.random() < _PERSON_SHARE and _can_draw()
    picture = person_without_hands(rng, CROP_SIZE) if person else sample_background(rng, CROP_SIZE)
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


@functools.cache
def _can_draw() -> bool:
    """Sets on disk train without OpenGL too; people are then left out."""
    try:
        shared_renderer(CROP_SIZE)
    except UserError:
        return False
    return True
