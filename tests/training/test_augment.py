import cv2
import numpy as np
import pytest

from digit.skeleton import FIRST_PART
from digit.training.augment import Sample, Warp, crop_from_picture, cut, draw_warp, flip
from digit.training.dataset import CropDataset, read_index
from digit.training.prior import draw_prior


@pytest.fixture
def sample(tiny_set) -> Sample:
    return CropDataset(read_index([tiny_set]), augment=False).sample(0, Warp())


def test_flipping_twice_is_nothing(sample):
    twice = flip(flip(sample))
    for name in Sample.__slots__:
        np.testing.assert_allclose(getattr(twice, name), getattr(sample, name), rtol=1e-6)


def test_a_flip_exchanges_sides_and_mirrors_x(sample):
    flipped = flip(sample)
    np.testing.assert_allclose(flipped.joints_2p5d[0, 0], 255 - sample.joints_2p5d[21, 0])
    np.testing.assert_array_equal(flipped.parts > 16, (sample.parts[:, ::-1] > 0) & (sample.parts[:, ::-1] <= 16))
    assert flipped.root_depth_mm == -sample.root_depth_mm


def test_a_plain_crop_centres_the_bbox():
    affine = crop_from_picture(np.array([10.0, 20.0, 40.0, 80.0]), Warp())
    np.testing.assert_allclose(affine @ [30, 60, 1], [128, 128])
    np.testing.assert_allclose(affine @ [30, 110, 1], [128, 256])


@pytest.mark.parametrize("seed", range(5))
def test_parts_stay_under_their_joints(tiny_set, seed):
    """Under any warp the middle of a bone lies on that bone's part."""
    index = read_index([tiny_set])
    warp = draw_warp(np.random.default_rng(seed))
    sample = CropDataset(index, augment=True).sample(1, warp)
    checked = 0
    for side, first in enumerate(FIRST_PART.values()):
        for finger in range(5):
            tip, next_joint = sample.joints_2p5d[21 * side + 4 * finger : 21 * side + 4 * finger + 2, :2]
            middle = (tip + next_joint) / 2
            if sample.hands[side] and (middle > 4).all() and (middle < 250).all():
                row, column = (round(float(v - 0.5) / 2) for v in middle[::-1])
                assert sample.parts[row, column] == first + 3 * finger + 3
                checked += 1
    assert checked >= 3


def test_picture_and_joints_move_together():
    """A bright dot drawn at a joint is found at the joint of the crop, to a pixel."""
    picture, mask = np.zeros((320, 320, 3), np.uint8), np.zeros((320, 320), np.uint8)
    joints = np.random.default_rng(0).uniform(100, 220, (42, 2))
    cv2.circle(picture, tuple(int(v) for v in joints[7].round()), 3, (255, 255, 255), -1)
    joints[7] = joints[7].round()
    for seed in range(5):
        warp = draw_warp(np.random.default_rng(seed))
        out = cut(picture, mask, joints, np.zeros((42, 3)), np.ones(42), np.array([90.0, 90, 140, 140]), warp)
        expected = flip_slot(7) if warp.flip else 7
        rows, columns = np.nonzero(out.image[..., 1] > 90)
        if out.joint_valid[expected]:
            np.testing.assert_allclose([columns.mean(), rows.mean()], out.joints_2p5d[expected, :2], atol=1.0)


def flip_slot(joint: int) -> int:
    return (joint + 21) % 42


def test_priors_name_only_what_they_show(sample):
    rng = np.random.default_rng(0)
    priors = np.stack([draw_prior(sample, rng) for _ in range(300)])
    empty = (priors[..., 3] == 0).all(axis=1).mean()
    assert 0.45 < empty < 0.65
    assert np.all(priors[priors[..., 3] == 0] == 0)
    error = np.linalg.norm(priors[..., :2] - sample.joints_2p5d[:, :2], axis=-1)[priors[..., 3] > 0]
    size = np.ptp(sample.joints_2p5d[:21, :2], axis=0).max()
    assert 0.01 < np.median(error) / size < 0.08
