import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from digit import geometry
from digit.skeleton import BONES, JOINTS_PER_HAND

K = np.array([[900.0, 0, 640], [0, 910.0, 350], [0, 0, 1]])

boxes = st.tuples(st.floats(-500, 1500), st.floats(-500, 1500), st.floats(1, 900), st.floats(1, 900))
points = st.lists(st.tuples(st.floats(-2000, 2000), st.floats(-2000, 2000)), min_size=1, max_size=8).map(np.array)


def hand_mm(seed: int, root: tuple[float, float, float] = (20, 30, 500), bones=geometry.ADULT_BONES_MM) -> np.ndarray:
    """One hand (21, 3) with exact bone lengths and random bone directions."""
    directions = np.random.default_rng(seed).normal(size=(20, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    joints = np.zeros((JOINTS_PER_HAND, 3))
    joints[-1] = root
    for bone in reversed(range(20)):
        child, parent = BONES[bone]
        joints[child] = joints[parent] + bones[bone] * directions[bone]
    return joints


def hand_2p5d(joints_mm: np.ndarray) -> np.ndarray:
    return np.column_stack([geometry.project(joints_mm, K), joints_mm[:, 2] - joints_mm[-1, 2]])


@given(boxes, st.floats(-180, 180))
def test_crop_puts_the_box_centre_in_the_middle(box, rotation):
    square = geometry.square_bbox(box)
    crop_from_image = geometry.affine_from_bbox(square, rotation_deg=rotation)
    centre = np.array([box[0] + box[2] / 2, box[1] + box[3] / 2])
    assert np.allclose(geometry.apply_affine(crop_from_image, centre), (128, 128), atol=1e-6)


def test_crop_fills_the_square():
    square = geometry.square_bbox((100, 50, 80, 40), scale=1.25)
    assert np.allclose(square, (90, 20, 100, 100))
    crop_from_image = geometry.affine_from_bbox(square)
    assert np.allclose(geometry.apply_affine(crop_from_image, np.array([[90, 20], [190, 120]])), [[0, 0], [256, 256]])


def test_rotation_goes_from_x_towards_y():
    crop_from_image = geometry.affine_from_bbox((0, 0, 256, 256), rotation_deg=90)
    assert np.allclose(geometry.apply_affine(crop_from_image, np.array([138, 128])), (128, 138))


@given(boxes, st.floats(-180, 180), points)
def test_affines_invert(box, rotation, xy):
    b_from_a = geometry.affine_from_bbox(geometry.square_bbox(box), rotation_deg=rotation)
    a_from_b = geometry.invert_affine(b_from_a)
    assert np.allclose(geometry.apply_affine(a_from_b, geometry.apply_affine(b_from_a, xy)), xy, atol=1e-6)


@pytest.mark.parametrize("box", [(0, 0, 0, 0), (0, 0, -5, 9), (np.nan, 0, 5, 5), (0, 0, np.inf, 5)])
def test_impossible_boxes_are_refused(box):
    with pytest.raises(ValueError, match="box"):
        geometry.square_bbox(box)
    with pytest.raises(ValueError, match="box"):
        geometry.affine_from_bbox(box)


def test_a_flat_affine_is_refused():
    with pytest.raises(ValueError, match="inverse"):
        geometry.invert_affine(np.array([[1.0, 2, 0], [2, 4, 0]]))


def test_field_of_view():
    assert np.allclose(geometry.intrinsics_from_fov(641, 481, 90), [[320.5, 0, 320], [0, 320.5, 240], [0, 0, 1]])
    K90 = geometry.intrinsics_from_fov(640, 480, 60)
    edge = geometry.rays(np.array([639.5, 0]), K90)
    assert math.isclose(math.degrees(math.atan(edge[0])), 30)
    with pytest.raises(ValueError, match="field of view"):
        geometry.intrinsics_from_fov(640, 480, 180)


@given(st.lists(st.tuples(*[st.floats(-400, 400)] * 2, st.floats(50, 3000)), min_size=1, max_size=9).map(np.array))
def test_projection_inverts(points_mm):
    assert np.allclose(geometry.unproject(geometry.project(points_mm, K), points_mm[:, 2], K), points_mm, atol=1e-6)


def test_root_depths_eq_4_and_5():
    assert geometry.root_depths(600, 700, -40, np.array([0.9, 0.8])).tolist() == [600, 560]
    assert geometry.root_depths(600, 700, -40, np.array([0.4, 0.8])).tolist() == [600, 700]


@given(st.integers(0, 2**32 - 1), boxes, st.floats(-180, 180), st.sampled_from(["camera", "crop"]))
def test_2p5d_round_trip(seed, box, rotation, depth_axis):
    joints_mm = np.concatenate([hand_mm(seed), hand_mm(seed + 1, (-60, 10, 620))])
    crop_from_image = geometry.affine_from_bbox(geometry.square_bbox(box), rotation_deg=rotation)
    image_from_crop = geometry.invert_affine(crop_from_image)
    axis = geometry.axis_of(depth_axis, image_from_crop, K)
    joints_2p5d, roots_mm = geometry.joints_2p5d_from_3d(joints_mm, crop_from_image, K, axis)
    assert roots_mm.tolist() == [500, 620]
    assert joints_2p5d[20, 2] == joints_2p5d[41, 2] == 0
    back = geometry.joints_from_2p5d(joints_2p5d, image_from_crop, K, roots_mm, axis)
    assert np.allclose(back, joints_mm, atol=1e-5)
    along = geometry.wrists_along(joints_2p5d, image_from_crop, K, axis)
    relative_mm = float((joints_mm[41] - joints_mm[20]) @ axis)
    assert np.allclose(geometry.root_depths(500, 1, relative_mm, np.ones(2), along), [500, 620])


def test_depths_along_the_crop_are_the_same_wherever_the_camera_looks():
    hand = np.concatenate([hand_mm(1), hand_mm(2, (60, 10, 520))])
    found = []
    for degrees in (0, 25):
        turn = np.radians(degrees)
        camera = np.array([[np.cos(turn), 0, np.sin(turn)], [0, 1, 0], [-np.sin(turn), 0, np.cos(turn)]])
        joints_mm = hand @ camera.T
        centre = geometry.project(camera @ hand.mean(axis=0), K)
        crop_from_image = geometry.affine_from_bbox([*(centre - 100), 200, 200])
        axis = geometry.axis_of("crop", geometry.invert_affine(crop_from_image), K)
        assert np.isclose(np.linalg.norm(axis), 1)
        assert np.allclose(geometry.project(axis, K), centre)
        found.append(geometry.joints_2p5d_from_3d(joints_mm, crop_from_image, K, axis)[0][:, 2])
    assert np.allclose(*found)
    assert geometry.axis_of("camera", np.eye(2, 3), K).tolist() == [0, 0, 1]


def test_a_hand_without_depth_is_nan_alone():
    joints_2p5d = np.zeros((42, 3))
    joints_mm = geometry.joints_from_2p5d(joints_2p5d, np.eye(2, 3), K, np.array([np.nan, 500]))
    assert np.isnan(joints_mm[:21]).all()
    assert np.isfinite(joints_mm[21:]).all()


def test_adult_bones_stand_in_the_order_of_the_skeleton():
    assert geometry.RADIOGRAPH_BONES_MM.shape == geometry.ADULT_BONES_MM.shape == (20,)
    middle = slice(2 * 4, 3 * 4)
    assert np.allclose(geometry.RADIOGRAPH_BONES_MM[middle], (21.4, 26.3, 44.6, 89.6))
    assert np.allclose(geometry.ADULT_BONES_MM[middle], (21.4, 27.64, 47.03, 85.84), atol=0.01)
    assert 170 < geometry.ADULT_BONES_MM[middle].sum() < 195  # a hand's length


def test_joints_lie_back_of_the_bones_ends_in_fingers_only():
    thumb, fingers = slice(0, 4), slice(4, None)
    line, joint = geometry.RADIOGRAPH_BONES_MM, geometry.ADULT_BONES_MM
    assert np.array_equal(line[thumb], joint[thumb])
    assert np.allclose(line[fingers].reshape(4, 4).sum(axis=1), joint[fingers].reshape(4, 4).sum(axis=1))
    longer = (joint - line)[fingers].reshape(4, 4)
    assert (longer[:, 0] == 0).all() and (longer[:, 1:3] > 0).all() and (longer[:, 3] < 0).all()


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1), st.floats(250, 2500), st.floats(-100, 100), st.floats(0.7, 1.4))
def test_root_depth_is_recovered(seed, depth, x, size):
    bones = geometry.ADULT_BONES_MM * size
    joints_mm = hand_mm(seed, (x, -x / 2, depth), bones)
    assume(joints_mm[:, 2].min() > 20)
    assert math.isclose(geometry.root_depth_from_bones(hand_2p5d(joints_mm), K, bones), depth, rel_tol=1e-6)


def test_root_depth_is_vectorised_and_scales_with_the_hand():
    hands = np.stack([hand_2p5d(hand_mm(seed, (0, 0, 300 + 100 * seed))) for seed in range(6)]).reshape(2, 3, 21, 3)
    depth = geometry.root_depth_from_bones(hands, K)
    assert np.allclose(depth, [[300, 400, 500], [600, 700, 800]])
    flat = np.where([True, True, False], hands, 0.0)
    one, two = (geometry.root_depth_from_bones(flat, K, geometry.ADULT_BONES_MM * k) for k in (1, 2))
    assert np.allclose(two, 2 * one)


def test_root_depth_survives_bad_joints_and_noise():
    rng = np.random.default_rng(3)
    joints = np.stack([hand_2p5d(hand_mm(seed, (0, 0, 600))) for seed in range(50)])
    noisy = joints + rng.normal(size=joints.shape) * (1.0, 1.0, 3.0)
    assert np.abs(np.median(geometry.root_depth_from_bones(noisy, K)) - 600) < 20
    noisy[:, [0, 4, 8]] += 300  # three fingertips far off
    assert np.abs(np.median(geometry.root_depth_from_bones(noisy, K)) - 600) < 30


def test_confidence_mutes_joints():
    joints = hand_2p5d(hand_mm(0, (0, 0, 600)))
    confidence = np.ones(21)
    wrong = joints.copy()
    wrong[:16, :2] += np.random.default_rng(1).normal(size=(16, 2)) * 80
    confidence[:16] = 0
    assert math.isclose(geometry.root_depth_from_bones(wrong, K, confidence=confidence), 600, rel_tol=1e-6)


@pytest.mark.parametrize("joints", [np.zeros((21, 3)), np.full((21, 3), np.nan), np.full((21, 3), 1e9)])
def test_degenerate_hands_give_nan(joints):
    assert np.isnan(geometry.root_depth_from_bones(joints, K))


def test_bones_longer_in_depth_than_they_are_give_nan():
    joints = hand_2p5d(hand_mm(0))
    joints[:, 2] = np.arange(21) * 500.0
    assert np.isnan(geometry.root_depth_from_bones(joints, K))
