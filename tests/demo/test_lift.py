"""From the 2.5D pose to camera space."""

import math

import numpy as np
import pytest

from demo.lift import Lift, combined_roots_mm, intrinsics
from digit.geometry import ADULT_BONES_MM, axis_of, invert_affine, joints_2p5d_from_3d, project
from digit.prediction import DepthAxis
from digit.skeleton import BONES, WRIST
from tests.demo.scripted import SHAPE

K = intrinsics((480, 640, 3), 600.0, 65.0)
AS_IS = np.array([[1.0, 0, 0], [0, 1, 0]])


def adult_hand(depth_mm: float, x_mm: float) -> np.ndarray:
    """(21, 3) camera space: a flat hand with the bones of an average adult, its wrist at this place."""
    joints_mm = np.zeros((21, 3))
    joints_mm[WRIST] = [x_mm, 60, depth_mm]
    for (child, parent), length_mm in reversed(list(zip(BONES, ADULT_BONES_MM, strict=True))):
        along = SHAPE[child] - SHAPE[parent]
        joints_mm[child] = joints_mm[parent] + np.r_[along / np.linalg.norm(along) * length_mm, 0]
    return joints_mm


def pose(right_mm: float, left_mm: float) -> tuple[np.ndarray, np.ndarray]:
    """(42, 3) the 2.5D pose and the joints (42, 3) in camera space of two hands at these depths."""
    joints_mm = np.concatenate([adult_hand(right_mm, -90), adult_hand(left_mm, 90)])
    return np.c_[project(joints_mm, K), np.zeros(42)], joints_mm


def test_agreeing_depths_stay() -> None:
    assert combined_roots_mm(500, 530, 30) == pytest.approx([500, 530])


def test_disagreeing_depths_move_equally_far_towards_the_relative_one() -> None:
    right_mm, left_mm = combined_roots_mm(500, 500, 44)
    assert right_mm + left_mm == pytest.approx(1000)
    # 60² / (2 · 60² + 40²) = 3600 / 8800 of the 44 mm.
    assert right_mm == pytest.approx(482)
    assert left_mm == pytest.approx(518)


def test_one_unknown_depth_follows_from_the_other() -> None:
    assert combined_roots_mm(math.nan, 530, 30) == pytest.approx([500, 530])
    assert combined_roots_mm(500, math.nan, 30) == pytest.approx([500, 530])
    assert np.isnan(combined_roots_mm(math.nan, math.nan, 30)).all()


def test_two_adult_hands_stand_where_they_are() -> None:
    joints_2p5d, joints_mm = pose(500, 620)
    lifted_px, lifted_mm = Lift()(joints_2p5d, np.ones(42), 120.0, np.array([True, True]), AS_IS, K)
    assert lifted_px == pytest.approx(joints_2p5d[:, :2])
    assert lifted_mm == pytest.approx(joints_mm, abs=0.5)


def test_unknown_relative_depth_is_probably_small() -> None:
    joints_2p5d, _ = pose(500, 620)
    _, lifted_mm = Lift()(joints_2p5d, np.ones(42), math.nan, np.array([True, True]), AS_IS, K)
    # 60² / (2 · 60² + 100²) = 3600 / 17200 of the 120 mm.
    assert lifted_mm[[WRIST, 21 + WRIST], 2] == pytest.approx([525.1, 594.9], abs=0.5)


def test_an_absent_hand_is_nan_and_its_median_is_forgotten() -> None:
    lift, both, right = Lift(), np.array([True, True]), np.array([True, False])
    near, _ = pose(500, 500)
    far, _ = pose(500, 700)
    for _ in range(5):
        lift(near, np.ones(42), 0.0, both, AS_IS, K)
    _, alone_mm = lift(near, np.ones(42), 0.0, right, AS_IS, K)
    assert np.isnan(alone_mm[21:]).all()
    assert np.isfinite(alone_mm[:21]).all()
    _, back_mm = lift(far, np.ones(42), 200.0, both, AS_IS, K)
    assert back_mm[21 + WRIST, 2] == pytest.approx(700, abs=1)


def test_joints_in_one_point_give_no_depth() -> None:
    _, lifted_mm = Lift()(np.full((42, 3), 100.0), np.ones(42), 0.0, np.array([True, True]), AS_IS, K)
    assert np.isnan(lifted_mm).all()


def test_one_wrong_frame_does_not_move_the_depth() -> None:
    lift, present = Lift(), np.array([True, False])
    steady, _ = pose(500, 500)
    wrong, _ = pose(900, 900)
    for _ in range(6):
        lift(steady, np.ones(42), 0.0, present, AS_IS, K)
    _, lifted_mm = lift(wrong, np.ones(42), 0.0, present, AS_IS, K)
    assert lifted_mm[WRIST, 2] == pytest.approx(500, abs=1)


def test_intrinsics_prefer_the_focal_length() -> None:
    assert K[0, 0] == 600
    assert K[:2, 2].tolist() == [319.5, 239.5]
    assert intrinsics((480, 640, 3), None, 90.0)[0, 0] == pytest.approx(320)
    upright = intrinsics((640, 480, 3), None, 90.0)  # the same camera on its side
    assert (upright[0, 0], *upright[:2, 2]) == pytest.approx((320, 239.5, 319.5))


def test_depths_along_the_crop_are_lifted_to_the_same_hands() -> None:
    """The same two hands at the picture's side, told along the camera's axis and along the crop's."""
    joints_mm = np.concatenate([adult_hand(500, 120), adult_hand(560, 260)])
    present = np.array([True, True])
    corner = np.array([[1.0, 0, 300], [0, 1, 200]])
    crop_from_image = invert_affine(corner)
    axes: tuple[DepthAxis, ...] = ("camera", "crop")
    for depth_axis in axes:
        axis = axis_of(depth_axis, corner, K)
        joints_2p5d, _ = joints_2p5d_from_3d(joints_mm, crop_from_image, K, axis)
        relative_mm = float((joints_mm[2 * 21 - 1] - joints_mm[20]) @ axis)
        _, lifted_mm = Lift()(joints_2p5d, np.ones(42), relative_mm, present, corner, K, depth_axis)
        assert lifted_mm == pytest.approx(joints_mm, abs=0.5)
    assert np.degrees(np.arccos(axis_of("crop", corner, K)[2])) > 10  # so the two told different depths
