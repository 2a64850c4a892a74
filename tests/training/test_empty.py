import numpy as np
import pytest

from digit.skeleton import BACKGROUND
from digit.training.augment import PAPER, WEBCAM, Augmentation
from digit.training.empty import empty_crop, is_empty


def test_nothing_is_there() -> None:
    crop = empty_crop(np.random.default_rng(3), part_size=64)
    assert crop.image.shape == (256, 256, 3)
    assert crop.image.std() > 0
    assert crop.parts.shape == (64, 64)
    assert (crop.parts == BACKGROUND).all()
    assert crop.parts_valid and crop.hands_valid
    assert not (crop.hands.any() or crop.joint_valid.any() or crop.root_valid)


def test_same_draw_same_picture() -> None:
    first, again, other = (empty_crop(np.random.default_rng(seed)).image for seed in (5, 5, 6))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_share_of_samples() -> None:
    rng = np.random.default_rng(0)
    drawn = [is_empty(rng, Augmentation(empty_share=0.25)) for _ in range(4000)]
    assert np.mean(drawn) == pytest.approx(0.25, abs=0.03)


def test_the_paper_and_validation_have_none() -> None:
    rng = np.random.default_rng(0)
    before = rng.bit_generator.state
    assert not is_empty(rng, PAPER)
    assert not is_empty(rng, WEBCAM.still())
    assert rng.bit_generator.state == before
