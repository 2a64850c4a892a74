"""Hands that give way: the solver's derivatives, and what it makes of hands that run into each other."""

from dataclasses import replace

import numpy as np
import pytest

from digit.synth.contact import SOFTNESS_MM, Pair, Touch, by_screw, carried, gap_mm, kinematics, moved_by, settle
from digit.synth.hand_model import HandModel, place, pose, rotation, skeletons
from digit.synth.meetings import MEETINGS, sample_pair, skin
from digit.synth.poses import LIMITS_DEG

ARM = (-0.55, -0.6, -0.5)
SHAPE = 4


@pytest.fixture(scope="module")
def pair(model: HandModel) -> Pair:
    return sample_pair(np.random.default_rng(5), model, SHAPE, MEETINGS["clasp"], ARM)


def test_spheres_are_those_of_the_posed_hands(model: HandModel, pair: Pair) -> None:
    centres_mm, _ = kinematics(model, SHAPE, pair)
    near_mm = np.linalg.norm(centres_mm[0][:, None] - centres_mm[1], axis=-1).min()
    assert gap_mm(skin(model, SHAPE, pair)) < near_mm
    for side, centres in zip(("right", "left"), centres_mm, strict=True):
        joints_mm = skin(model, SHAPE, pair)[side].joints_mm
        # The first sphere of a bone lies on a joint.
        np.testing.assert_allclose(np.linalg.norm(centres[::5, None] - joints_mm, axis=-1).min(axis=1), 0, atol=1e-3)


def test_screws_are_the_derivative_of_distances(model: HandModel, pair: Pair) -> None:
    """Of spheres of both hands and of two of one hand, by every angle and by the left hand's place and turn."""
    inside = {
        side: np.clip(degrees, *(LIMITS_DEG + np.array([1.0, -1.0])).T) for side, degrees in pair.angles_deg.items()
    }
    pair = replace(pair, angles_deg=inside)
    centres_mm, screws = kinematics(model, SHAPE, pair)
    count = centres_mm.shape[1]
    a, b = np.random.default_rng(1).integers(0, count, (2, 60))
    b[:40] += count
    a[50:] += count
    b[50:] += count
    moves, spheres_mm = carried(model), centres_mm.reshape(-1, 3)
    told = by_screw(screws, spheres_mm[a], spheres_mm[b]) * (moves[:, a] - moves[:, b])

    def distances_mm(moved: np.ndarray) -> np.ndarray:
        points = kinematics(model, SHAPE, moved_by(pair, moved))[0].reshape(-1, 3)
        return np.linalg.norm(points[a] - points[b], axis=1)

    step = 1e-5
    measured = np.stack([distances_mm(by) - distances_mm(-by) for by in np.eye(len(screws)) * step]) / (2 * step)
    assert (np.abs(measured).max(axis=1) > 1).sum() > 35
    np.testing.assert_allclose(told, measured, atol=0.02)


def test_hands_in_each_other_give_way(model: HandModel, pair: Pair) -> None:
    deep = replace(pair, shift_mm=pair.shift_mm | {"left": pair.shift_mm["left"] + (0.0, 0.0, -14.0)})
    before = gap_mm(skin(model, SHAPE, deep))
    after = gap_mm(skin(model, SHAPE, settle(model, SHAPE, deep)))
    assert before < -2 * SOFTNESS_MM
    assert after > -SOFTNESS_MM


def test_hands_far_apart_stay_as_they_are(model: HandModel, pair: Pair) -> None:
    away = replace(pair, shift_mm=pair.shift_mm | {"left": pair.shift_mm["right"] + (400.0, 0.0, 0.0)})
    settled = settle(model, SHAPE, away, cling=0.05)
    np.testing.assert_array_equal(settled.shift_mm["left"], away.shift_mm["left"])
    np.testing.assert_allclose(settled.camera_from_hand["left"], away.camera_from_hand["left"])


def test_touching_joints_come_together(model: HandModel, pair: Pair) -> None:
    near = replace(pair, shift_mm=pair.shift_mm | {"left": pair.shift_mm["right"] + (110.0, 0.0, 0.0)})
    touch = Touch("thumb4", "thumb4")

    def apart_mm(now: Pair) -> float:
        hands = skin(model, SHAPE, now)
        return float(np.linalg.norm(hands["right"].joints_mm[0] - hands["left"].joints_mm[0]))

    assert apart_mm(settle(model, SHAPE, near, (touch,))) < apart_mm(settle(model, SHAPE, near)) - 5


def test_a_skeleton_has_the_joints_of_the_hand(model: HandModel, pair: Pair) -> None:
    whole, bare = (pose(m, SHAPE, pair.angles_deg["left"]) for m in (model, skeletons(model)))
    np.testing.assert_array_equal(bare.joints_mm, whole.joints_mm)
    assert bare.vertices_mm.shape == (0, 3)
    turn = rotation(np.array([0.0, 0.0, 1.0]), 30)
    np.testing.assert_array_equal(place(bare, turn, np.ones(3)).joints_mm, place(whole, turn, np.ones(3)).joints_mm)
