"""The crop under any warp: labels and pixels move together, flips and lifts invert each other."""

from dataclasses import fields, replace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from digit.geometry import joints_2p5d_from_3d, joints_from_2p5d, root_depths
from digit.interhand import Sample
from digit.skeleton import FIRST_PART, JOINTS_PER_HAND, ROOTS
from digit.training import augment
from digit.training.augment import (
    PAPER,
    WEBCAM,
    Crop,
    Warp,
    bbox_of,
    crop_from_image,
    cut,
    draw_warp,
    flip,
    joints_in_picture,
    with_room,
)
from digit.training.dataset import CropDataset, read_index
from digit.training.prior import EXCHANGED, HAND_MM, draw_prior, imagined


@pytest.fixture
def crop(tiny_set) -> Crop:
    return CropDataset(read_index([tiny_set]), augment=False).crop(0, Warp())


def made_up_sample(seed: int) -> Sample:
    """Two hands of random joints before a random camera."""
    rng = np.random.default_rng(seed)
    joints_mm = rng.normal(0, 60, (42, 3)) + np.repeat([[-40, 0, 700], [40, 0, 720]], 21, axis=0)
    f = rng.uniform(300, 900)
    K = np.array([[f, 0, 160], [0, f * 1.02, 150], [0, 0, 1]])
    px = joints_mm @ K.T
    px = px[:, :2] / px[:, 2:]
    low, high = px.min(axis=0), px.max(axis=0)
    yes = np.ones(2, bool)
    return Sample(
        0, None, None, K, joints_mm, px, np.ones(42, bool), yes, np.r_[low, high - low], yes, True, np.full(2, np.nan)
    )  # type: ignore[arg-type]


def cut_blank(sample: Sample, warp: Warp) -> Crop:
    return cut(sample, np.zeros((320, 320, 3), np.uint8), np.zeros((320, 320), np.uint8), sample.bbox, warp)


@given(st.integers(0, 10**6))
def test_augmentation_and_its_inverse_are_nothing(seed):
    sample = made_up_sample(seed)
    crop = cut_blank(sample, draw_warp(np.random.default_rng(seed), PAPER))
    back = joints_in_picture(crop, crop.joints_2p5d)
    np.testing.assert_allclose(back[:, :2], sample.joints_px, atol=2e-3)
    z_mm = sample.joints_mm[:, 2]
    np.testing.assert_allclose(back[:, 2], z_mm - z_mm[list(ROOTS)], atol=1e-3)


@given(st.integers(0, 10**6))
def test_2p5d_and_3d_invert_each_other_under_any_warp(seed):
    """From camera space into an augmented crop and back; the true 2.5D pose of the crop is the projected one."""
    sample = made_up_sample(seed)
    warp = draw_warp(np.random.default_rng(seed), PAPER)
    crop = cut_blank(sample, warp)
    pose, roots = joints_2p5d_from_3d(sample.joints_mm, crop_from_image(sample.bbox, warp), sample.K)
    np.testing.assert_allclose(
        joints_in_picture(crop, flipped(pose) if warp.flip else pose),
        joints_in_picture(crop, crop.joints_2p5d),
        atol=2e-3,
    )
    sign = -1 if warp.flip else 1
    roots_mm = root_depths(roots[0], roots[1], sign * crop.root_depth_mm, np.ones(2))
    lifted = joints_from_2p5d(joints_in_picture(crop, crop.joints_2p5d), np.eye(3)[:2], sample.K, roots_mm)
    np.testing.assert_allclose(lifted, sample.joints_mm, atol=0.01)


def flipped(pose: np.ndarray) -> np.ndarray:
    other = np.roll(pose, JOINTS_PER_HAND, axis=0)
    return np.column_stack([255 - other[:, 0], other[:, 1:]])


def test_flipping_twice_is_nothing(crop):
    twice = flip(flip(crop))
    assert flip(crop).flipped and not twice.flipped
    for field in fields(Crop):
        np.testing.assert_allclose(getattr(twice, field.name), getattr(crop, field.name), rtol=1e-6, atol=1e-9)


@given(st.integers(0, 10**6))
def test_flipping_twice_is_nothing_after_any_warp(seed):
    crop = cut_blank(made_up_sample(seed), draw_warp(np.random.default_rng(seed), PAPER))
    twice = flip(flip(crop))
    np.testing.assert_allclose(twice.joints_2p5d, crop.joints_2p5d, atol=1e-4)
    np.testing.assert_allclose(twice.crop_from_image, crop.crop_from_image, atol=1e-9)
    assert twice.root_depth_mm == crop.root_depth_mm


def test_a_flip_exchanges_sides_and_mirrors_x(crop):
    mirrored = flip(crop)
    np.testing.assert_allclose(mirrored.joints_2p5d[0, 0], 255 - crop.joints_2p5d[21, 0])
    np.testing.assert_array_equal(mirrored.parts > 16, (crop.parts[:, ::-1] > 0) & (crop.parts[:, ::-1] <= 16))
    assert mirrored.root_depth_mm == -crop.root_depth_mm


def test_a_plain_crop_centres_the_bbox():
    affine = crop_from_image(np.array([10.0, 20.0, 40.0, 80.0]), Warp())
    np.testing.assert_allclose(affine @ [30, 60, 1], [128, 128])
    np.testing.assert_allclose(affine @ [30, 110, 1], [128, 256])


def test_shift_and_scale_by_hand():
    """The crop's side is 100: a shift of 0.15 moves its centre by 15 px, a scale of 1.2 makes it 120 px wide."""
    affine = crop_from_image(np.array([0.0, 0.0, 80.0, 60.0]), Warp(shift=(0.15, -0.1), scale=1.2))
    np.testing.assert_allclose(affine @ [40 + 15, 30 - 10, 1], [128, 128])
    np.testing.assert_allclose(affine[0, 0], 256 / 120)


def test_draws_of_the_paper_keep_its_limits():
    rng = np.random.default_rng(0)
    warps = [draw_warp(rng, PAPER) for _ in range(3000)]
    scale = np.array([w.scale for w in warps])
    assert scale.min() == 0.75 and scale.max() == 1.25
    assert 0.30 < np.isin(scale, [0.75, 1.25]).mean() < 0.34  # beyond one sigma: 31.7 %
    rotation = np.array([w.rotation_deg for w in warps])
    assert np.abs(rotation).max() == 90
    assert 0.57 < (rotation != 0).mean() < 0.63
    assert 41 < rotation[rotation != 0].std() < 45  # 45 before it is clipped
    assert 0.47 < np.mean([w.flip for w in warps]) < 0.53
    shift, colour = np.array([w.shift for w in warps]), np.array([w.colour for w in warps])
    assert 0.149 < np.abs(shift).max() <= 0.15
    assert 0.8 <= colour.min() < 0.801 and 1.199 < colour.max() <= 1.2
    assert {w.border for w in warps} == {cv2.BORDER_CONSTANT}
    assert {w.border for w in (draw_warp(rng, WEBCAM) for _ in range(50))} == {
        cv2.BORDER_CONSTANT,
        cv2.BORDER_REPLICATE,
    }


def test_still_draws_nothing():
    rng = np.random.default_rng(0)
    for how in (PAPER, WEBCAM):
        assert draw_warp(rng, how.still()) == Warp()
    assert PAPER.still().joint_margin is None and WEBCAM.still().joint_margin == WEBCAM.joint_margin


def test_the_paper_crops_the_annotated_box_and_the_webcam_the_joints():
    sample = made_up_sample(0)
    np.testing.assert_array_equal(bbox_of(sample, PAPER), sample.bbox)
    low, high = sample.joints_px.min(axis=0), sample.joints_px.max(axis=0)
    margin = 0.06 * (high - low).max() + 2
    np.testing.assert_allclose(bbox_of(sample, WEBCAM), np.r_[low - margin, high - low + 2 * margin])


def test_room_beside_a_hand_goes_to_the_border_and_no_farther():
    box = np.array([100.0, 50, 40, 60])
    np.testing.assert_allclose(with_room(box, (0.0, 0.0), (240, 320, 3)), box)
    np.testing.assert_allclose(with_room(box, (-1.0, 1.0), (240, 320, 3)), [0, 50, 140, 190])
    np.testing.assert_allclose(with_room(box, (0.5, -0.5), (240, 320, 3)), [100, 25, 130, 85])
    cut_off = np.array([-20.0, 200, 90, 70])  # nothing is to be gained where the box is outside already
    np.testing.assert_allclose(with_room(cut_off, (-1.0, 1.0), (240, 320, 3)), cut_off)


def test_only_a_hand_alone_gets_room_beside_it():
    sample = made_up_sample(1)
    wide, tight = Warp(beside=(1.0, 1.0)), Warp()
    np.testing.assert_array_equal(cut_blank(sample, wide).crop_from_image, cut_blank(sample, tight).crop_from_image)
    sample.hands[1] = False
    grown = cut_blank(sample, wide)
    assert grown.crop_from_image[0, 0] < cut_blank(sample, tight).crop_from_image[0, 0]
    back = joints_in_picture(grown, grown.joints_2p5d)
    np.testing.assert_allclose(back[:, :2], sample.joints_px, atol=2e-3)


def test_webcam_crops_leave_room_beside_half_of_the_hands_alone_and_the_papers_never():
    rng = np.random.default_rng(0)
    beside = np.array([draw_warp(rng, WEBCAM).beside for _ in range(1000)])
    assert 0.45 < (beside != 0).all(axis=1).mean() < 0.55
    assert -1 <= beside.min() < -0.95 and 0.95 < beside.max() <= 1
    assert {draw_warp(rng, PAPER).beside for _ in range(50)} == {(0.0, 0.0)}


def test_a_crop_may_be_around_one_of_two_hands() -> None:
    sample = made_up_sample(2)
    for focus, joints in ((0, sample.joints_px[:21]), (1, sample.joints_px[21:])):
        low, high = joints.min(axis=0), joints.max(axis=0)
        margin = 0.06 * (high - low).max() + 2
        np.testing.assert_allclose(bbox_of(sample, WEBCAM, focus), np.r_[low - margin, high - low + 2 * margin])
    sample.hands[1] = False
    np.testing.assert_array_equal(bbox_of(sample, WEBCAM, 1), bbox_of(sample, WEBCAM))


@pytest.mark.parametrize("flip", [False, True])
def test_beside_the_hand_that_a_crop_is_around_another_counts_if_it_shows(flip: bool) -> None:
    sample = made_up_sample(2)
    sample.joints_px[:21] = np.random.default_rng(0).uniform(100, 150, (21, 2))
    sample.joints_px[21:] = np.random.default_rng(1).uniform(220, 270, (21, 2))
    warp = Warp(focus=0, flip=flip)
    mine, other = (1, 0) if flip else (0, 1)

    def crop() -> Crop:
        box = bbox_of(sample, WEBCAM, warp.focus)
        return cut(sample, np.zeros((320, 320, 3), np.uint8), np.zeros((320, 320), np.uint8), box, warp)

    alone = crop()
    assert alone.hands[mine] and not alone.hands[other]
    assert alone.joint_valid.reshape(2, -1)[mine].all() and not alone.joint_valid.reshape(2, -1)[other].any()
    assert not alone.root_valid and alone.root_depth_mm == 0
    sample.joints_px[21 : 21 + augment.SHOWN_JOINTS - 1] = (120, 120)
    assert not crop().hands[other]
    assert not crop().joint_valid.reshape(2, -1)[other].any()
    sample.joints_px[21 : 21 + augment.SHOWN_JOINTS] = (120, 120)
    assert crop().hands.all()
    assert crop().joint_valid.reshape(2, -1)[other].sum() == augment.SHOWN_JOINTS


def test_webcam_crops_are_around_one_hand_in_a_fifth_and_the_papers_never() -> None:
    rng = np.random.default_rng(0)
    drawn = [draw_warp(rng, WEBCAM).focus for _ in range(1000)]
    assert 0.16 < np.mean([focus is not None for focus in drawn]) < 0.24
    assert {focus for focus in drawn if focus is not None} == {0, 1}
    assert {draw_warp(rng, PAPER).focus for _ in range(50)} == {None}


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("size", [64, 128, 256])
def test_parts_stay_under_their_joints(tiny_set, seed, size):
    """Under any warp the middle of a bone lies on that bone's part."""
    warp = replace(draw_warp(np.random.default_rng(seed), WEBCAM), focus=None)  # which shows fewer joints
    crop = CropDataset(read_index([tiny_set]), augment=True, part_size=size).crop(1, warp)
    checked = 0
    cell = 256 / size
    for side, first in enumerate(FIRST_PART.values()):
        for finger in range(5):
            tip, next_joint = crop.joints_2p5d[21 * side + 4 * finger : 21 * side + 4 * finger + 2, :2]
            middle = (tip + next_joint) / 2
            if crop.hands[side] and (middle > 4).all() and (middle < 250).all():
                row, column = (round(float(v - (cell - 1) / 2) / cell) for v in middle[::-1])
                assert crop.parts[row, column] == first + 3 * finger + 3
                checked += 1
    assert checked >= 3


def test_picture_and_joints_move_together():
    """A bright dot drawn at a joint is found at the joint of the crop, to a pixel."""
    sample = made_up_sample(3)
    joint = np.array([150, 170])
    picture, parts = np.zeros((320, 320, 3), np.uint8), np.zeros((320, 320), np.uint8)
    cv2.circle(picture, joint.tolist(), 3, (255, 255, 255), -1)
    sample.joints_px[7] = joint
    seen = 0
    for seed in range(8):
        warp = draw_warp(np.random.default_rng(seed), PAPER)
        out = cut(sample, picture, parts, np.array([90.0, 90, 140, 140]), warp)
        expected = 28 if warp.flip else 7
        rows, columns = np.nonzero(out.image[..., 1] > 90)
        if out.joint_valid[expected]:
            np.testing.assert_allclose([columns.mean(), rows.mean()], out.joints_2p5d[expected, :2], atol=1.0)
            seen += 1
    assert seen >= 4


def test_what_is_not_known_is_not_valid(tiny_set):
    """Without its wrist a hand has no relative depth, and two hands no depth between them."""
    index = read_index([tiny_set])
    index.root_known[0, 1] = False
    crop = CropDataset(index, augment=augment.PAPER.still()).crop(0, Warp())
    assert crop.joint_valid[:21].any() and not crop.joint_valid[21:].any()
    assert crop.hands.all() and not crop.root_valid and crop.root_depth_mm == 0


def test_priors_name_only_what_they_show(crop):
    rng = np.random.default_rng(0)
    priors = np.stack([draw_prior(crop, rng) for _ in range(300)])
    empty = (priors[..., 3] == 0).all(axis=1).mean()
    assert 0.45 < empty < 0.65
    assert np.all(priors[priors[..., 3] == 0] == 0)
    error = np.linalg.norm(priors[..., :2] - crop.joints_2p5d[:, :2], axis=-1)[priors[..., 3] > 0]
    size = np.ptp(crop.joints_2p5d[:21, :2], axis=0).max()
    assert 0.01 < np.median(error) / size < 0.08


def test_a_stated_share_of_priors_has_all_names_exchanged(crop):
    rng = np.random.default_rng(0)
    priors = np.stack([draw_prior(crop, rng) for _ in range(3000)]).reshape(-1, 2, 21, 4)
    both = priors[(priors[..., 3] > 0).all(axis=(1, 2))]
    truth = crop.joints_2p5d[:, :2].reshape(2, 21, 2)
    as_named, exchanged = (
        np.linalg.norm(both[..., :2] - joints, axis=-1).mean(axis=(1, 2)) for joints in (truth, truth[::-1])
    )
    assert abs(np.mean(exchanged < as_named) - EXCHANGED) < 0.03


def test_depths_of_priors_are_too_flat_and_lean_otherwise(crop):
    rng = np.random.default_rng(0)
    hand = crop.joints_2p5d[:21].astype(np.float64)
    priors = np.stack([imagined(hand, rng) for _ in range(400)])
    assert np.all(priors[:, ROOTS[0], 2] == 0)
    mm_per_px = HAND_MM / np.ptp(hand[:, :2], axis=0).max()
    columns = np.c_[hand[:, 2], (hand[:, :2] - hand[ROOTS[0], :2]) * mm_per_px]
    flat, *leaning = np.linalg.lstsq(columns, priors[:, :, 2].T, rcond=None)[0]
    assert 0.4 < np.median(flat) < 0.8
    assert all(0.1 < np.std(each) < 0.4 for each in leaning)
