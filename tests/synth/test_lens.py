"""Lenses that bend: joints, pixels and masks of a distorted picture agree through its pinhole K."""

import numpy as np
import pytest

from digit.geometry import project
from digit.skeleton import SLOTS
from digit.synth.generate import SIZE, draw
from digit.synth.hand_model import HandModel, annotated
from digit.synth.lens import bent, bent_pixels, seen_from_straight, seen_joints, straight_camera, straight_from_seen
from digit.synth.scenes import sample_scene

K = np.array([[420.0, 0, 90], [0, 420, 210], [0, 0, 1]])


@pytest.mark.parametrize("bend", [-0.05, 0.0, 0.08, 0.4])
def test_seeing_is_the_inverse_of_straightening(bend: float) -> None:
    slopes = np.random.default_rng(0).uniform(-0.9, 0.9, (200, 2))
    np.testing.assert_allclose(seen_from_straight(straight_from_seen(slopes, bend), bend), slopes, atol=1e-9)


def test_a_barrel_draws_corners_in() -> None:
    corner = np.array([[0.9, 0.6]])
    assert np.linalg.norm(seen_from_straight(corner, 0.1)) < np.linalg.norm(corner)


@pytest.mark.parametrize("bend", [-0.05, 0.2])
def test_a_point_is_drawn_where_its_moved_joint_projects(bend: float) -> None:
    """A dot of the straight picture arrives, warped, at the pixel to which K projects the label."""
    wide = straight_camera(K, bend, SIZE)
    for x, y, z in ((30.0, -20.0, 500.0), (180.0, 90.0, 600.0), (-70.0, -160.0, 450.0)):
        joint = np.array([[x, y, z]])
        u, v = project(joint, wide)[0]
        yy, xx = np.mgrid[:SIZE, :SIZE]
        dot = np.exp(-((xx - u) ** 2 + (yy - v) ** 2) / 8).astype(np.float32)
        shown = bent(dot, bent_pixels(K, bend, SIZE), smooth=True)
        centre = np.array([(shown * xx).sum(), (shown * yy).sum()]) / shown.sum()
        moved = seen_joints(joint, bend)
        assert moved[0, 2] == z
        np.testing.assert_allclose(project(moved, K)[0], centre, atol=0.1)


def test_straight_picture_holds_all_that_is_shown() -> None:
    for bend in (-0.05, 0.2):
        pixels = bent_pixels(K, bend, SIZE)
        assert pixels.min() > -0.01 and pixels.max() < SIZE - 0.99


def test_labels_of_bent_pictures_project_to_their_pixels(model: HandModel) -> None:
    bent_ones = 0
    for index in range(12):
        scene = sample_scene(np.random.default_rng([31, index]), model, SIZE)
        made = draw(np.random.default_rng([31, index]))
        for side, hand in scene.hands.items():
            np.testing.assert_allclose(
                project(made.joints_mm[SLOTS[side]], made.K), made.joints_px[SLOTS[side]], atol=0.02
            )
            joints_mm = annotated(hand.joints_mm)
            np.testing.assert_array_equal(made.joints_mm[SLOTS[side]][:, 2], joints_mm[:, 2])
            straight = project(joints_mm, scene.K)
            bent_ones += bool(np.abs(straight - made.joints_px[SLOTS[side]]).max() > 1)
    assert bent_ones > 3
